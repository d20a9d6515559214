// The documents for operators and integrators: their commands, links, log lines and settings exist. A runbook is read when something is
// broken already.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

import { ROOT } from "./support/make.mjs";

const read = (path) => readFileSync(join(ROOT, path), "utf8");
/** The name that GitHub gives to a heading. */
const anchor = (heading) => heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");
const anchors = (path) => [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading));
/** All documents: of a new one nothing has to be remembered. */
const DOCUMENTS = [".", "docs", "examples"].flatMap((folder) =>
  readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".md")).map((name) => join(folder, name)),
);
const sources = () =>
  readdirSync(join(ROOT, "src"), { recursive: true })
    .filter((name) => /\.(rs|mjs)$/.test(name))
    .map((name) => read(join("src", name)))
    .join("\n");

for (const path of DOCUMENTS) {
  test(`${path}: each \`make\` target exists`, () => {
    const targets = new Set([...read("Makefile").matchAll(/^([a-z][a-z-]*):/gm)].map(([, name]) => name));
    const code = [...read(path).matchAll(/`([^`\n]+)`|^```\w*\n([\s\S]*?)^```$/gm)].map(([, word, block]) => word ?? block);
    const used = code.flatMap((text) => [...text.matchAll(/\bmake (?:-s )?([a-z][a-z-]*)/g)].map(([, name]) => name));
    assert.deepEqual(used.filter((name) => !targets.has(name)), []);
    assert.ok(path !== "docs/operate.md" || used.length > 10, "commands are found");
  });

  test(`${path}: each link leads somewhere`, () => {
    for (const [, target] of read(path).matchAll(/\]\(((?!https?:)[^)]+)\)/g)) {
      const [file, heading] = target.split("#");
      const linked = file === "" ? path : relative(ROOT, join(ROOT, dirname(path), file));
      assert.ok(existsSync(join(ROOT, linked)), target);
      assert.ok(heading === undefined || anchors(linked).includes(heading), target);
    }
  });
}

test("each log line of the runbooks is one that the service writes", () => {
  const table = read("docs/operate.md").split("\n").filter((line) => /^\| `app\./.test(line));
  assert.ok(table.length >= 8);
  const code = sources();
  for (const line of table) {
    const [name, , messages] = line.slice(2).split(" | ");
    assert.ok(code.includes(name.slice(1, -1)), name);
    for (const [, message] of messages.matchAll(/`([A-Z][^`]*?)(?:: …)?`/g)) {
      assert.ok(code.includes(message), message);
    }
  }
});

test("each setting and secret of the runbooks is one that the service reads", () => {
  const code = sources();
  const platform = /^(CLOUDFLARE_|SERVICE_URL$)/;
  const runbooks = ["DEPLOY.md", "docs/operate.md", "docs/mail.md", "docs/email-verification.md", "docs/account-recovery.md", "docs/factors.md", "docs/audit.md", "docs/invitations.md"];
  for (const path of runbooks) {
    const names = [...read(path).matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map(([, name]) => name);
    assert.deepEqual(names.filter((name) => !platform.test(name) && !code.includes(name)), []);
  }
});

test("docs/factors.md: each test that it names exists, and each requirement of its sections of ASVS has a row", () => {
  const [, asvs] = read("docs/factors.md").split("\n## ASVS 5.0\n");
  const named = [...asvs.matchAll(/`(tests\/[^`]+|src\/[^`]+)`: ([^;|]+)/g)];
  assert.ok(named.length >= 40, String(named.length));
  for (const [, path, names] of named) {
    const source = read(path);
    for (const name of names.split(",").map((text) => text.trim())) {
      assert.ok([`fn ${name}(`, `"${name}`, `\`${name}`].some((text) => source.includes(text)), `${path}: ${name}`);
    }
  }
  const rows = [...asvs.matchAll(/^\| ([67]\.\d\.\d) /gm)].map(([, number]) => number);
  const section = ([number, last]) => Array.from({ length: last }, (_, index) => `${number}.${index + 1}`);
  assert.deepEqual(rows, [["6.3", 8], ["6.4", 6], ["6.5", 8], ["6.6", 4], ["7.5", 3]].flatMap(section));
});

test("docs/audit.md: each test that it names exists", () => {
  const named = [...read("docs/audit.md").matchAll(/`(tests\/[^`]+)`: ([^|]+?) \|/g)];
  assert.ok(named.length >= 11, String(named.length));
  assert.deepEqual(named.filter(([, path, name]) => !read(path).includes(`test("${name}`)).map(([text]) => text), []);
});
