// The SQL of the product, parsed from its source, so that the floor runs the same statements.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const STORE = resolve(import.meta.dirname, "../../src/store");
const CONSTANT = /^const ([A-Z_]+): &str =\s*"([^"\\]*)";/gm;

/** The statements by file and name: `{"sessions.OPEN_SESSION": "INSERT …"}`. */
function statements() {
  const files = readdirSync(STORE).filter((name) => name.endsWith(".rs"));
  const entries = files.flatMap((file) => {
    const constants = readFileSync(join(STORE, file), "utf8").matchAll(CONSTANT);
    return [...constants].map(([, name, sql]) => [`${file.replace(".rs", "")}.${name}`, sql]);
  });
  return Object.fromEntries(entries);
}

/** The source of a module that exports `sql(name)`. */
export function statementsModule() {
  return `const STATEMENTS = ${JSON.stringify(statements())};
export function sql(name) {
  if (!(name in STATEMENTS)) {
    throw new Error("no statement is called " + name);
  }
  return STATEMENTS[name];
}
`;
}
