// What the scripts share: statements for a database by way of wrangler, texts as SQL, and how to give up.
//
// A database is `{state}`, the folder of a local one, or `{environment}`, that of a deployment by its name in
// wrangler.toml. Which one is meant is for the scripts to say.
import { spawnSync } from "node:child_process";
import { stripVTControlCharacters } from "node:util";

/** A text as an SQL literal. */
export const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

/** An address as the service stores it: trimmed, NFC, lower case letter by letter. */
export function storedEmail(text) {
  // Not `trim`: what it takes for a space differs from Unicode's property by two characters.
  const trimmed = text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
  const lower = (letter) => (letter.toLowerCase() === "ς" ? "σ" : letter.toLowerCase());
  return Array.from(trimmed.normalize("NFC"), lower).join("");
}

/** The database, in words. */
export function named({ state, environment }) {
  return environment ? `the remote database of ${environment}` : `the local database in ${state}`;
}

/** Runs statements, all or none of them, and gives back the rows of each. Gives up if wrangler does. */
export function execute(sql, database) {
  const { state, environment } = database;
  // `top-level` is what wrangler calls the deployment that has no environment: the button makes such a one.
  const name = environment === "top-level" ? "" : environment;
  const where = environment ? ["--remote", `--env=${name}`] : ["--local", "--persist-to", state];
  const args = ["d1", "execute", "DB", ...where, "--yes", "--json", "--command", sql];
  const run = spawnSync("wrangler", args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  if (run.status !== 0) {
    giveUp(explained(reason(run), database));
  }
  const { stdout } = run;
  return JSON.parse(stdout.slice(stdout.search(/^\[/m))).map(({ results }) => results);
}

/** Why wrangler failed, in its own words, on one line. */
function reason({ error, status, stdout, stderr }) {
  if (error) {
    return `it could not be run: ${error.message}`;
  }
  const words = answered(stdout) ?? printed(stderr);
  return words.replace(/\s+/g, " ").trim() || `it ended with ${status} and without a word`;
}

/** With `--json`, what went wrong with the database comes as JSON; details are in its notes. */
function answered(stdout) {
  try {
    const { text, notes = [] } = JSON.parse(stdout.slice(stdout.search(/^\{/m))).error;
    return [text, ...notes.map((note) => note.text)].join(" ");
  } catch {
    return undefined;
  }
}

/** All else is printed for a person: the first paragraph says it, or the second if the first is a heading. */
function printed(stderr) {
  const text = stripVTControlCharacters(stderr);
  const [heading, details = ""] = text.slice(text.indexOf("[ERROR]")).replace("[ERROR]", "").split(/\n\s*\n/);
  return heading.trimEnd().endsWith(":") ? `${heading} ${details}` : heading;
}

/** The reason, where it happened, and what to do if that is known. */
function explained(text, { state, environment }) {
  const failure = `wrangler gave up on ${named({ state, environment })}: ${text}`;
  if (!text.includes("no such table")) {
    return failure;
  }
  const remedy = environment ? `make migrate-remote ENV=${environment}` : `rm ${inShell(`${state}/migrated`)}, and try again`;
  return `${failure}. Apply the migrations first: ${remedy}.`;
}

/** A path as a word for a shell. */
const inShell = (path) => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

/** Ends the process with a word to whoever called it. */
export function giveUp(message) {
  console.error(message);
  process.exit(1);
}
