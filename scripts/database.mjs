// Functions that the scripts share: running SQL through wrangler, quoting, and exiting with a message.
//
// A database is `{state}`, the folder of a local one, or `{environment}`, the name of a deployment in wrangler.toml.
// The calling script chooses.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { domainToASCII } from "node:url";
import { stripVTControlCharacters } from "node:util";

/** A text as an SQL literal. */
export const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

/**
 * An e-mail address as the service stores it: trimmed; the local part lower-cased letter by letter, then NFC; the domain
 * in its ASCII form. A text without a valid domain is no address, and only lower-cased.
 */
export function storedEmail(text) {
  // Not `trim`: its set of spaces differs from Unicode's property by two characters.
  const trimmed = text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, "");
  const lower = (letter) => (letter.toLowerCase() === "ς" ? "σ" : letter.toLowerCase());
  const folded = (part) => Array.from(part, lower).join("").normalize("NFC");
  const domain = asciiDomain(trimmed);
  return domain ? folded(trimmed.slice(0, trimmed.lastIndexOf("@") + 1)) + domain : folded(trimmed);
}

/** Letters, marks, digits, hyphens, joiners and dots. `domainToASCII` drops the rest from a backslash or slash on. */
const DOMAIN = /^[\p{L}\p{M}\p{N}\u200c\u200d.\u3002\uff0e\uff61-]+$/u;

/** The ASCII form of an address' domain; empty if it has none. */
export function asciiDomain(email) {
  const domain = email.slice(email.lastIndexOf("@") + 1).normalize("NFC");
  return email.includes("@") && DOMAIN.test(domain) ? domainToASCII(domain) : "";
}

/** The database, as messages name it. */
export function named({ state, environment }) {
  return environment ? `the remote database of ${environment}` : `the local database in ${state}`;
}

/** wrangler could not run statements; the message says why, and names the database. */
export class DatabaseError extends Error {}

/** Runs statements in one transaction and returns the rows of each. Exits with a message if wrangler fails. */
export function execute(sql, database) {
  try {
    return query(sql, database);
  } catch (error) {
    if (error instanceof DatabaseError) {
      giveUp(error.message);
    }
    throw error;
  }
}

/** Local data must exist: wrangler and Miniflare would make an empty database. */
export function refuseMissing({ state, environment }) {
  if (!environment && !existsSync(state)) {
    throw new DatabaseError(`There is no folder ${state} with local data: name another STATE=, or make one: make migrate STATE=${inShell(state)}.`);
  }
}

/**
 * The same as `execute`, for callers that clean up after a failure: it throws a `DatabaseError`. With `isDetached`, Ctrl-C on the terminal does
 * not reach wrangler.
 */
export function query(sql, database, { isDetached = false } = {}) {
  const { state, environment } = database;
  refuseMissing(database);
  // wrangler calls the deployment without an environment `top-level`; the deploy button creates such a deployment.
  const name = environment === "top-level" ? "" : environment;
  const where = environment ? ["--remote", `--env=${name}`] : ["--local", "--persist-to", state];
  const args = ["d1", "execute", "DB", ...where, "--yes", "--json", "--command", sql];
  const run = spawnSync("wrangler", args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024, detached: isDetached });
  if (run.status !== 0) {
    throw new DatabaseError(withRemedy(reason(run), database));
  }
  const { stdout } = run;
  return JSON.parse(stdout.slice(stdout.search(/^\[/m))).map(({ results }) => results);
}

/** The error message of wrangler, on one line. */
export function reason({ error, status, stdout, stderr }) {
  if (error) {
    return `it could not be run: ${error.message}`;
  }
  const message = jsonError(stdout) ?? textError(stderr);
  return message.replace(/\s+/g, " ").trim() || `it ended with ${status} and without a word`;
}

/** With `--json`, wrangler prints errors of the database as JSON, with details in the notes. */
function jsonError(stdout) {
  try {
    const { text, notes = [] } = JSON.parse(stdout.slice(stdout.search(/^\{/m))).error;
    return [text, ...notes.map((note) => note.text)].join(" ");
  } catch {
    return undefined;
  }
}

/** Other errors are plain text. The first paragraph is the message, or the second one if the first is a heading. */
function textError(stderr) {
  const text = stripVTControlCharacters(stderr);
  const [heading, details = ""] = text.slice(text.indexOf("[ERROR]")).replace("[ERROR]", "").split(/\n\s*\n/);
  return heading.trimEnd().endsWith(":") ? `${heading} ${details}` : heading;
}

/** The error with the name of the database and, if known, a remedy. */
function withRemedy(text, { state, environment }) {
  const failure = `wrangler gave up on ${named({ state, environment })}: ${text}`;
  if (!text.includes("no such table")) {
    return failure;
  }
  return `${failure}. Apply the migrations first: ${remedyOf({ state, environment })}.`;
}

/** The note that the migrations were applied may be older than the data. */
function remedyOf({ state, environment }) {
  if (environment) {
    return `make migrate-remote ENV=${environment}`;
  }
  const note = join(state, "migrated");
  const migrate = `make migrate STATE=${inShell(state)}`;
  return existsSync(note) ? `rm ${inShell(note)} && ${migrate}` : migrate;
}

/** A path as a word for a shell. */
const inShell = (path) => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

/** Prints an error message and ends the process with exit code 1. */
export function giveUp(message) {
  console.error(message);
  process.exit(1);
}
