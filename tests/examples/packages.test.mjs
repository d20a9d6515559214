// The examples run here with the packages of the project. Their own lists must name the same versions.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const parsed = (path) => JSON.parse(readFileSync(path, "utf8"));

for (const name of ["hono", "express"]) {
  test(`${name}: the versions are those of the tests`, () => {
    const project = parsed("package.json");
    const tested = { ...project.dependencies, ...project.devDependencies };
    const { dependencies, devDependencies = {} } = parsed(`examples/${name}/package.json`);
    for (const [dependency, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      assert.equal(version, tested[dependency], dependency);
    }
  });
}

test("wrangler.toml: the Worker has the compatibility date of the service", () => {
  const date = (path) => /^compatibility_date = .*$/m.exec(readFileSync(path, "utf8"))[0];
  assert.equal(date("examples/hono/wrangler.toml"), date("wrangler.toml"));
});
