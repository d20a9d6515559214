// What the scripts share: statements for a database by way of wrangler, and texts as SQL.
import { spawnSync } from "node:child_process";

/** A text as an SQL literal. */
export const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

/** An address as the service stores it: trimmed, NFC, lower case letter by letter. */
export function storedEmail(text) {
  const lower = (letter) => (letter.toLowerCase() === "ς" ? "σ" : letter.toLowerCase());
  return Array.from(text.trim().normalize("NFC"), lower).join("");
}

/**
 * Runs statements against the local database in the folder `state`, or, with `environment`, against the database of
 * a deployment. Gives back the rows of each.
 */
export function execute(sql, { state, environment }) {
  const where = environment ? ["--remote", "--env", environment] : ["--local", "--persist-to", state];
  const args = ["d1", "execute", "DB", ...where, "--yes", "--json", "--command", sql];
  const { status, stdout, stderr } = spawnSync("wrangler", args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0) {
    throw new Error(`wrangler d1 execute failed:\n${stdout}${stderr}`);
  }
  return JSON.parse(stdout.slice(stdout.indexOf("["))).map(({ results }) => results);
}

/** Ends the process with a word to whoever called it. */
export function giveUp(message) {
  console.error(message);
  process.exit(1);
}
