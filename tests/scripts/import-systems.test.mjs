// `make import` of files that the original libraries made just now: the FastAPI service's database, and Django's dump. And the
// service that is started for an import.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { DatabaseSync } from "node:sqlite";

import { stateFolder } from "../e2e/support/start.mjs";
import { accepts, startService } from "../../scripts/moving/service.mjs";
import { linesOf } from "./support/import-source.mjs";
import { ROOT, run } from "./support/make.mjs";

const PYTHON = join(ROOT, ".tools/moving/bin/python");
const python = async (script, ...args) => {
  const { code, stdout, stderr } = await run(PYTHON, [join("tests/moving", script), ...args]);
  assert.equal(code, 0, stderr);
  return stdout;
};

test("the FastAPI service's database: every user, with the old id, hash and time", async () => {
  const path = join(stateFolder(), "app.db");
  await python("app.py", path, "20");
  const stored = new DatabaseSync(path).prepare("SELECT id, hashed_password FROM users ORDER BY id").all();
  const { format, lines } = await linesOf(path);
  assert.equal(format, "fastapi");
  assert.deepEqual(lines, stored.map(({ id, hashed_password: hash }) => ({
    external_id: String(id),
    email: `user${id}@example.com`,
    password_hash: hash,
    created_at: new Date(Date.UTC(2024, 1, 29, 12, 30, 0, 123) + id * 3_600_000).toISOString(),
    is_active: id % 5 !== 0,
  })));
  assert.match(lines[0].password_hash, /^\$2b\$10\$/);
  const verified = await linesOf(path, { verified: true });
  assert.ok(verified.lines.every((line) => line.email_verified === true));
});

test("Django's dump: users only, with names, and without unusable passwords", async () => {
  const path = join(stateFolder(), "users.json");
  writeFileSync(path, await python("dump.py"));
  const { format, lines } = await linesOf(path);
  assert.equal(format, "django");
  const [ada, grace, none] = lines;
  assert.match(ada.password_hash, /^pbkdf2_sha256\$\d+\$[^$]+\$[^$]+$/);
  assert.match(ada.created_at, /^20\d\d-.*Z$/);
  const { password_hash: hash, created_at: created, ...rest } = ada;
  assert.deepEqual(rest, { external_id: "1", email: "ada@example.com", full_name: "Ada Lovelace", is_active: true });
  assert.deepEqual([grace.email, grace.password_hash, grace.is_active], ["grace@example.com", undefined, false]);
  assert.equal(none, "no_email");
});

/** A `make` that stands in front of the real one on the PATH. */
function standInForMake(t, program) {
  const folder = join(stateFolder(), "bin");
  mkdirSync(folder);
  writeFileSync(join(folder, "make"), `#!${process.execPath}\n${program}`);
  chmodSync(join(folder, "make"), 0o755);
  const { PATH } = process.env;
  process.env.PATH = [folder, PATH].join(delimiter);
  t.after(() => (process.env.PATH = PATH));
}

test("a service is started for the import on the same data, and ended with its group", async (t) => {
  standInForMake(t, `
    const variables = Object.fromEntries(process.argv.slice(2).filter((word) => word.includes("=")).map((word) => word.split(/=(.*)/s)));
    if (!process.argv.includes("dev") || variables.STATE !== "my state" || variables.ARGS !== "--var A:b") process.exit(3);
    require("node:http").createServer((request, response) => response.setHeader("Content-Type", "application/x-ndjson").end()).listen(Number(variables.PORT), "127.0.0.1");
    process.on("SIGINT", () => process.exit(0));`);
  const { url, stop } = await startService({ state: "my state", args: "--var A:b" });
  t.after(stop);
  assert.equal(await accepts(url, "key"), true);
  await stop();
  assert.equal(await accepts(url, "key"), false);
  await assert.rejects(startService({ state: "another" }), /^Error: The service did not start on the local database in another/);
});

test("the output of a service that does not start is shown", async (t) => {
  standInForMake(t, 'console.error("error[E0425]: cannot find"); process.exit(1);');
  await assert.rejects(startService({ state: "state" }), /The service did not start on the local database in state:\nerror\[E0425\]/);
});

test("a service that does not end by itself is ended", async (t) => {
  standInForMake(t, `
    const port = Number(process.argv.find((word) => word.startsWith("PORT=")).slice(5));
    require("node:http").createServer((request, response) => response.setHeader("Content-Type", "application/x-ndjson").end()).listen(port, "127.0.0.1");
    process.on("SIGINT", () => {});`);
  const { url, stop } = await startService({ state: "state", grace: 100 });
  t.after(stop);
  assert.equal(await accepts(url, "key"), true);
  await stop();
  assert.equal(await accepts(url, "key"), false);
});
