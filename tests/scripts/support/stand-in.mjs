// A stand-in for wrangler that records its calls, so that a call to a remote database is visible here and
// goes nowhere.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

import { stateFolder } from "../../e2e/support/start.mjs";
import { ROOT } from "./make.mjs";

/**
 * Puts it first on the PATH that it returns. It prints `stdout` and `stderr` and exits with `code`; `calls()` are
 * those so far: the arguments, and the environment that would influence wrangler.
 */
export function standIn(t, { stdout = "", stderr = "", code = 0 } = {}) {
  const folder = stateFolder(t);
  const notes = join(folder, "calls");
  const tools = join(folder, "bin");
  const path = join(tools, "wrangler");
  mkdirSync(tools);
  writeFileSync(path, `#!${process.execPath}
const { CLOUDFLARE_ENV: chosen = null } = process.env;
const call = JSON.stringify({ args: process.argv.slice(2), chosen });
require("node:fs").appendFileSync(${JSON.stringify(notes)}, call + "\\n");
process.stdout.write(${JSON.stringify(stdout)});
process.stderr.write(${JSON.stringify(stderr)});
process.exitCode = ${code};
`);
  chmodSync(path, 0o755);
  return {
    PATH: [tools, join(ROOT, "node_modules/.bin"), process.env.PATH].join(delimiter),
    calls() {
      const text = existsSync(notes) ? readFileSync(notes, "utf8").trimEnd() : "";
      return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line));
    },
  };
}

/** The output of `wrangler d1 execute --json` for statements that gave these rows. */
export const answer = (...lists) => JSON.stringify(lists.map((results) => ({ results, success: true, meta: {} })));
