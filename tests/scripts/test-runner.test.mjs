// `scripts/test.mjs`: a failure anywhere is seen, and the sum of all files equals their own closing lines.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { stateFolder } from "../e2e/support/start.mjs";
import { environment, ROOT, run } from "./support/make.mjs";

const PASSING = `import { test } from "node:test"; test("one passes", () => {}); test("so does another", () => {});`;
const FAILING = `import { test } from "node:test"; test("one passes", () => {}); test("this fails", () => { throw new Error("as told"); });`;
const SKIPPED = `import { test } from "node:test"; test.skip("skipped", () => {});`;
const BROKEN = `import "./is-not-there.mjs";`;
const SILENT = `process.exit(3);`;

/** Runs these files as tests. A runner inside a runner must not take the one outside for its own. */
async function runFiles(t, files) {
  const folder = stateFolder(t);
  Object.entries(files).forEach(([name, text]) => writeFileSync(join(folder, `${name}.test.mjs`), text));
  const { NODE_TEST_CONTEXT: _, ...env } = environment(folder);
  const { code, stdout } = await run(process.execPath, [join(ROOT, "scripts/test.mjs"), folder], { env });
  const sum = Object.fromEntries([...stdout.matchAll(/^ℹ (\w+) ([\d.]+)$/gm)].map(([, name, count]) => [name, Number(count)]));
  return { code, stdout, sum };
}

test("all pass: the sum says so", async (t) => {
  const { code, stdout, sum } = await runFiles(t, { one: PASSING, other: PASSING, third: SKIPPED });
  assert.equal(code, 0, stdout);
  assert.deepEqual([sum.tests, sum.pass, sum.fail, sum.skipped], [5, 4, 0, 1]);
  assert.equal(stdout.match(/^ℹ tests /gm).length, 1, "one sum");
  assert.match(stdout, /^▸ The slowest, in seconds\n(?: +\d+\.\d {2}.*\.test\.mjs\n){3}/m);
});

test("one of many fails: so does the whole, and its reason is seen", async (t) => {
  const { code, stdout, sum } = await runFiles(t, { one: PASSING, other: FAILING, third: PASSING });
  assert.equal(code, 1);
  assert.deepEqual([sum.tests, sum.pass, sum.fail], [6, 5, 1]);
  assert.match(stdout, /as told/);
  assert.match(stdout, /^✖ failed: .*other\.test\.mjs$/m);
});

for (const [name, text] of Object.entries({ BROKEN, SILENT })) {
  test(`a file that ends before its tests do counts as a failure: ${name.toLowerCase()}`, async (t) => {
    const { code, stdout, sum } = await runFiles(t, { one: PASSING, other: text });
    assert.equal(code, 1);
    assert.deepEqual([sum.pass, sum.fail], [2, 1], stdout);
  });
}

test("a check of make that fails makes the whole fail", async (t) => {
  const { code, stdout } = await run(process.execPath, ["scripts/test.mjs", "no-such-check"], { env: environment(stateFolder(t)) });
  assert.equal(code, 1);
  assert.match(stdout, /^▸ make no-such-check .* FAILED with 2\)\n.*No rule to make target/m);
});

test("no test at all is a failure, too", async (t) => {
  assert.equal((await runFiles(t, {})).code, 1);
});
