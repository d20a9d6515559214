// The rules for workflows: each one refuses the deploy workflow after one change to it.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { parse } from "yaml";

import { ruleFaults } from "../../scripts/workflow-rules.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
import { ROOT, run } from "./support/make.mjs";

const DEPLOY = readFileSync(join(ROOT, ".github/workflows/deploy.yml"), "utf8");
const NO_COMMIT = "0".repeat(40);
const SECRETS = "          CLOUDFLARE_API_TOKEN: ${{ secrets.CLOUDFLARE_API_TOKEN }}\n";

/** The deploy workflow after replacing `before`, which must occur in it. */
function changed(before, after) {
  assert.ok(DEPLOY.includes(before), before);
  return DEPLOY.replace(before, after);
}

const CHANGES = [
  ["an action by tag", / is no commit/, /@[0-9a-f]{40} # v7.0.1/.exec(DEPLOY)[0], "@v7"],
  ["an action without its tag", / is no commit/, " # v7.0.1", ""],
  ["an action in braces", / is no commit/, "      - run: make package sbom", '      - { uses: "actions/checkout@v4", with: { persist-credentials: false } }'],
  ["a workflow without limits", /does not limit its permissions/, "permissions: {}\n", ""],
  ["a workflow with every permission", /does not limit its permissions/, "permissions: {}", "permissions: write-all"],
  ["a secret for all jobs", /every job sees a secret/, "concurrency: deploy", `env:\n${SECRETS}concurrency: deploy`],
  ["a secret for all steps", /every step sees a secret/, "    environment: production", `    environment: production\n    env:\n${SECRETS}`],
  ["a secret outside the environment", /without a protected environment/, "    environment: production\n", ""],
  ["tests beside a secret", /runs beside a secret: make test/, "      - run: tar -xzf package/release.tgz", "      - run: make test"],
  ["install scripts beside a secret", /runs beside a secret: npm ci/, " --ignore-scripts", ""],
  ["a second command", /runs beside a secret: tar/, "tar -xzf package/release.tgz", "tar -xzf package/release.tgz && make test"],
  ["an unknown action beside a secret", /runs beside a secret: actions\/checkout/, "actions/setup-node@", "actions/checkout@"],
  ["an image beside a secret", /an image .* beside a secret/, "    environment: production", "    environment: production\n    container: node:22"],
  ["a test with a secret", /runs beside a secret: make test/, "      - run: make test", `      - run: make test\n        env:\n${SECRETS}`],
  ["a kept token", /leaves its token/, "          persist-credentials: false\n", "          fetch-depth: 1\n"],
  ["a cache in a release", /restores a cache/, "      - run: make package sbom", `      - uses: actions/cache@${NO_COMMIT} # v5\n      - run: make package sbom`],
  ["a cache by itself", /restores a cache/, "          package-manager-cache: false\n", ""],
  ["a command that can sign", /permission to sign/, "          subject-path: package/*", "          subject-path: package/*\n      - run: ls"],
  ["code of a stranger", /code of a stranger/, 'on:\n  push:\n    tags: ["v*"]', "on: pull_request_target"],
];

for (const [name, expected, before, after] of CHANGES) {
  test(`${name} is refused`, () => {
    assert.match(ruleFaults(changed(before, after)).join("\n"), expected);
  });
}

test("the workflows of this repository are accepted, and those that break a rule or GitHub's syntax are not", async (t) => {
  const lint = (...folder) => run(process.execPath, ["scripts/lint-workflows.mjs", ...folder]);
  const here = await lint();
  assert.equal(here.code, 0, here.stderr);
  const folder = stateFolder(t);
  writeFileSync(join(folder, "cache.yml"), changed("          package-manager-cache: false\n", ""));
  writeFileSync(join(folder, "needs.yml"), changed("needs: build", "needs: biuld"));
  const { code, stderr } = await lint(folder);
  assert.equal(code, 1);
  assert.match(stderr, /cache.yml: .* restores a cache/);
  assert.match(stderr, /needs.yml:\d+:\d+: .*biuld/);
});

test("the release runs with the Node that the tests ran with", () => {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const steps = parse(DEPLOY).jobs.deploy.steps;
  const versions = steps.flatMap((step) => step.with?.["node-version"] ?? []);
  assert.deepEqual(versions, [devDependencies.node]);
});
