// `make import` from the command line: real make, wrangler and D1, and a stand-in for the service that speaks its contract.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DatabaseSync } from "node:sqlite";

import { makeKey } from "../../scripts/moving/importer.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
import { assertDone, environment, make, migratedFolders, ROOT } from "./support/make.mjs";
import { POISON, startImportService } from "./support/import-service.mjs";
import { answer, standIn } from "./support/stand-in.mjs";

const migrated = migratedFolders();
const BCRYPT = "$2b$12$fgPOubgdJs90F1GK2u.Qye7Xyyi2ajrQJoB5LDG5bnITEvFR/xhZ.";

/** The local database of a folder, as its file. */
function opened(STATE, options = { readOnly: true }) {
  const [path] = globSync(join(STATE, "v3/d1/**/*.sqlite")).filter((name) => !name.endsWith("metadata.sqlite"));
  return new DatabaseSync(path, options);
}

function changed(STATE, sql) {
  const database = opened(STATE, {});
  database.exec(sql);
  database.close();
}

const keysIn = (STATE) => opened(STATE).prepare("SELECT count(*) AS count FROM api_keys").get().count;
const importersIn = (STATE) => opened(STATE).prepare("SELECT id, name, scopes FROM service_accounts").all().map((row) => ({ ...row }));

/** A folder without a database: a stand-in for wrangler accepts the key. Returns the variables of make. */
function withoutDatabase(t) {
  const STATE = stateFolder(t);
  writeFileSync(join(STATE, "migrated"), "");
  const { PATH, calls } = standIn(t, { stdout: answer([{ id: 1, is_active: 1, foreign_keys: 0 }]) });
  return { STATE, PATH, executed: () => calls().filter(({ args }) => args[1] === "execute").length };
}

/** A source of so many users, in the state's folder: its path. */
function usersFile(STATE, lines, name = "users.ndjson") {
  const path = join(STATE, name);
  writeFileSync(path, lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""));
  return path;
}

const user = (number) => ({ external_id: `${number}`, email: `user${number}@example.com`, password_hash: BCRYPT });
const users = (count) => Array.from({ length: count }, (_, number) => user(number + 1));
const report = (FROM) => readFileSync(`${FROM}.refused.ndjson`, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const stateOf = (FROM) => JSON.parse(readFileSync(`${FROM}.import.json`, "utf8"));

test("all users are imported by a key of this run, which is gone afterwards", async (t) => {
  const STATE = migrated(t);
  const { url, accounts, keys, requests } = await startImportService(t);
  const FROM = usersFile(STATE, users(1201));
  const lines = assertDone(await make("import", { STATE, FROM, URL: url }));
  assert.deepEqual(lines, [
    `Importing ${FROM} (ndjson) into the local database in ${STATE}.`,
    "Created: 1201. Existed already, unchanged: 0. New full name: 0. Refused: 0.",
    "1,201 hashes cost more to verify than PASSWORD_HASH and PASSWORD_ITERATIONS say. Until the first sign-in of",
    "such an account, an attacker that measures refused sign-ins can tell that it exists. Raise PASSWORD_ITERATIONS, or accept this.",
  ]);
  assert.equal(accounts.size, 1201);
  assert.deepEqual(requests.map(({ lines }) => lines), [500, 500, 201]);
  assert.equal(keysIn(STATE), 0);
  assert.ok(!existsSync(`${FROM}.import.json`) && !existsSync(`${FROM}.refused.ndjson`));
  const [first] = importersIn(STATE);
  assert.deepEqual([first.name, first.scopes], ["make import", '["users:import"]']);

  const again = assertDone(await make("import", { STATE, FROM, URL: url, ROLES: "yes" }));
  assert.equal(again[1], "Created: 0. Existed already, unchanged: 1201. New full name: 0. Refused: 0.");
  assert.equal(keys.size, 2, "a key for each run");
  assert.deepEqual(importersIn(STATE), [first], "one importer, which may not grant roles any more");
  const events = opened(STATE).prepare("SELECT type FROM audit_events ORDER BY rowid").all().map(({ type }) => type.replace("service_account_", ""));
  assert.deepEqual(events, ["created", "key_created", "key_withdrawn", "changed", "key_created", "key_withdrawn", "changed"]);
});

test("refused lines are reported by line, id and code, for the owner's eyes; the exit says so", async (t) => {
  const { STATE, PATH, executed } = withoutDatabase(t);
  const { url, accounts } = await startImportService(t);
  const secret = "$2b$12$a-secret-hash";
  const FROM = usersFile(STATE, [
    user(1),
    { external_id: "costly", email: "refused@example.com", password_hash: secret },
    "nonsense",
    { external_id: "long", email: `${"x".repeat(20_000)}@example.com`, password_hash: secret },
    "",
    { external_id: "weak", email: "weak@example.com", password_hash: secret },
  ]);
  const { code, stdout, stderr } = await make("import", { STATE, PATH, FROM, URL: url });
  assert.equal(code, 2, "make's own code for a recipe that failed");
  assert.match(stderr, /^make: \*\*\* \[Makefile:\d+: import\] Error 1\n$/);
  assert.match(stdout, /^Created: 1\. .* Refused: 4\.$/m);
  for (const name of ["hash_too_costly: 1", "not_json: 1", "line_too_long: 1", "hash_too_fast: 1"]) {
    assert.ok(stdout.includes(`  ${name}\n`), name);
  }
  assert.ok(stdout.includes(`The refused lines are in ${FROM}.refused.ndjson.`));
  assert.deepEqual(report(FROM), [
    { line: 2, external_id: "costly", code: "hash_too_costly" },
    { line: 3, code: "not_json" },
    { line: 4, external_id: "long", code: "line_too_long" },
    { line: 6, external_id: "weak", code: "hash_too_fast" },
  ]);
  assert.equal(statSync(`${FROM}.refused.ndjson`).mode & 0o777, 0o600);
  assert.equal(accounts.size, 1);
  assert.equal(executed(), 2, "the key is made, and withdrawn");

  writeFileSync(FROM, `${JSON.stringify(user(1))}\n`);
  assertDone(await make("import", { STATE, PATH, FROM, URL: url }));
  assert.ok(!existsSync(`${FROM}.refused.ndjson`), "a report of an earlier run is no report of this one");
});

test("DRY_RUN=yes asks the service and writes nothing", async (t) => {
  const { STATE, PATH, executed } = withoutDatabase(t);
  const { url, accounts, requests } = await startImportService(t);
  const FROM = usersFile(STATE, users(3));
  const lines = assertDone(await make("import", { STATE, PATH, FROM, URL: url, DRY_RUN: "yes" }));
  assert.match(lines[0], /^Trying \(DRY_RUN=yes, nothing is written\) /);
  assert.match(lines[1], /^Would be created: 3\. /);
  assert.deepEqual([accounts.size, requests.length, requests[0].isDryRun], [0, 1, true]);
  assert.equal(executed(), 2, "the key is made, and withdrawn");
});

test("after a failure the same command goes on behind the last chunk that was confirmed", async (t) => {
  const { STATE, PATH, executed } = withoutDatabase(t);
  const service = await startImportService(t, { fault: (number) => (number === 3 ? { status: 403, code: "FORBIDDEN" } : undefined) });
  const FROM = usersFile(STATE, ["nonsense", ...users(1199)]);
  const variables = { STATE, PATH, FROM, URL: service.url, FORMAT: "ndjson" };
  const failed = await make("import", variables);
  assert.match(failed.stderr, /^The service refuses the key \(403 FORBIDDEN\).*The same command goes on behind the 1000 users that are done\.$/m);
  assert.match(failed.stderr, /Error 2$/m);
  assert.equal(executed(), 2, "the key is made, and withdrawn");
  assert.equal(stateOf(FROM).counts.position, 1000);
  assert.equal(statSync(`${FROM}.import.json`).mode & 0o777, 0o600);
  // As after a crash between the report and the note.
  writeFileSync(`${FROM}.refused.ndjson`, '{"line":1001,"code":"twice"}\n', { flag: "a" });

  const { stdout } = await make("import", variables);
  assert.match(stdout, /, behind 1000 users of the run before\.$/m);
  assert.match(stdout, /^Created: 1199\. Existed already, unchanged: 0\. .* Refused: 1\.$/m, "the counts are those of the whole import");
  assert.deepEqual(service.requests.map(({ lines }) => lines), [499, 500, 200, 200]);
  assert.deepEqual(report(FROM), [{ line: 1, code: "not_json" }]);
  assert.ok(!existsSync(`${FROM}.import.json`));
});

test("a source that changed is begun again", async (t) => {
  const { STATE, PATH } = withoutDatabase(t);
  const service = await startImportService(t, { fault: (number) => (number === 2 ? { status: 403 } : undefined) });
  const FROM = usersFile(STATE, users(600));
  await make("import", { STATE, PATH, FROM, URL: service.url });
  assert.equal(stateOf(FROM).counts.position, 500);
  usersFile(STATE, users(601));
  const lines = assertDone(await make("import", { STATE, PATH, FROM, URL: service.url }));
  assert.equal(lines[1], "Created: 101. Existed already, unchanged: 500. New full name: 0. Refused: 0.");
});

test("Ctrl-C withdraws the key and says how to go on", async (t) => {
  const STATE = migrated(t);
  let isHeld;
  const holding = new Promise((done) => (isHeld = done));
  const fault = (number) => (number === 2 ? (isHeld(), { held: new Promise(() => {}) }) : undefined);
  const { url } = await startImportService(t, { fault });
  const FROM = usersFile(STATE, users(600));
  const args = ["import", `STATE=${STATE}`, `FROM=${FROM}`, `URL=${url}`];
  const child = spawn("make", args, { cwd: ROOT, env: environment(STATE), detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk) => (stderr += chunk));
  await holding;
  assert.equal(keysIn(STATE), 1);
  process.kill(-child.pid, "SIGINT");
  await new Promise((done) => child.on("close", done));
  assert.match(stderr, /^Interrupted\. The same command goes on behind the 500 users that are done\.$/m);
  assert.equal(keysIn(STATE), 0);
  assert.equal(stateOf(FROM).counts.position, 500);
});

test("a call without a file, and wrong options, are refused before anything is written", async (t) => {
  const { STATE, PATH, executed } = withoutDatabase(t);
  const FROM = usersFile(STATE, users(1));
  const cases = [
    [{}, /^Say what to import: make import FROM=app\.db\./],
    [{ FROM: join(STATE, "none") }, /^There is no file /],
    [{ FROM: STATE }, /is no file\./],
    [{ FROM, VERIFIED: "true" }, /^VERIFIED= is yes or no\./],
    [{ FROM, FORMAT: "toml" }, /^There is no format toml: set FORMAT=/],
    [{ FROM, URL: "http://auth.example.com" }, /^URL= must be an https address/],
    [{ FROM, REMOTE: "production" }, /^The address of the service is not known: production has no PUBLIC_URL in wrangler\.toml\. Set URL=\./],
  ];
  for (const [variables, message] of cases) {
    const { code, stderr } = await make("import", { STATE, PATH, ...variables });
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  }
  assert.equal(executed(), 0);
  const exported = await make("import", { STATE, PATH }, { FROM, URL: "https://elsewhere.example" });
  assert.match(exported.stderr, /^Say what to import/, "only make's own command line counts");
});

test("roles:grant stays for as long as another run may need it, and no longer", (t) => {
  const STATE = migrated(t);
  const scopes = () => importersIn(STATE)[0].scopes;
  const [importing, granting] = ['["users:import"]', '["users:import","roles:grant"]'];
  const first = makeKey({ state: STATE }, { mayGrantRoles: true });
  assert.equal(scopes(), granting);
  const second = makeKey({ state: STATE }, { mayGrantRoles: false });
  assert.equal(scopes(), granting, "a run without it takes nothing from the other");
  first.withdraw();
  assert.deepEqual([scopes(), keysIn(STATE)], [granting, 1]);
  second.withdraw();
  assert.deepEqual([scopes(), keysIn(STATE)], [importing, 0]);
  // A run that was killed leaves its key, which ends.
  makeKey({ state: STATE }, { mayGrantRoles: true });
  changed(STATE, "UPDATE api_keys SET expires_at = 1");
  const next = makeKey({ state: STATE }, { mayGrantRoles: false });
  assert.deepEqual([scopes(), keysIn(STATE)], [importing, 1]);
  next.withdraw();
});

test("an account of the name with keys of another origin gains nothing", async (t) => {
  const STATE = migrated(t);
  const { url, requests } = await startImportService(t);
  const FROM = usersFile(STATE, users(1));
  changed(STATE, "INSERT INTO service_accounts (id, client_id, name, scopes, created_at, updated_at) VALUES (7, 'sa_x', 'make import', '[\"introspect\"]', 0, 0)");
  changed(STATE, `INSERT INTO api_keys (id, service_account_id, secret_hash, created_at) VALUES (8, 7, '${"0".repeat(64)}', 0)`);
  const { code, stderr } = await make("import", { STATE, FROM, URL: url, ROLES: "yes" });
  assert.equal(code, 2);
  assert.match(stderr, /^The service account "make import" \(7\) has keys that this command did not make.* Withdraw them, or give the account another name/);
  assert.deepEqual(importersIn(STATE), [{ id: 7, name: "make import", scopes: '["introspect"]' }]);
  assert.deepEqual([keysIn(STATE), requests.length, opened(STATE).prepare("SELECT count(*) AS n FROM audit_events").get().n], [1, 0, 0]);

  changed(STATE, "DELETE FROM api_keys");
  assertDone(await make("import", { STATE, FROM, URL: url }));
  assert.equal(importersIn(STATE)[0].scopes, '["users:import"]');
});

test("a line that stays unwritten is reported as failed, and the others are imported", async (t) => {
  const { STATE, PATH } = withoutDatabase(t);
  const { url, accounts } = await startImportService(t);
  const FROM = usersFile(STATE, [user(1), { external_id: "bad", email: POISON }, user(2)]);
  const { code, stdout, stderr } = await make("import", { STATE, PATH, FROM, URL: url });
  assert.equal(code, 2);
  assert.match(stderr, /Error 1\n$/);
  assert.match(stdout, /^Created: 2\. .* Refused: 0\.\nFailed, though the service took other lines: 1\.\n {2}unavailable: 1$/m);
  assert.deepEqual([report(FROM), accounts.size], [[{ line: 2, external_id: "bad", code: "unavailable" }], 2]);
});

test("a disabled importer is refused", async (t) => {
  const STATE = migrated(t);
  const { url, requests } = await startImportService(t);
  const FROM = usersFile(STATE, users(1));
  assertDone(await make("import", { STATE, FROM, URL: url }));
  changed(STATE, "UPDATE service_accounts SET is_active = 0");
  const { stderr } = await make("import", { STATE, FROM, URL: url });
  assert.match(stderr, /^The service account "make import" was disabled by an administrator: enable it first\./);
  assert.equal(requests.length, 1);
});

test("a remote database gets the key, and its service the users", async (t) => {
  const STATE = migrated(t);
  const { url, accounts } = await startImportService(t);
  const FROM = usersFile(STATE, users(2));
  const { PATH, calls } = standIn(t, { stdout: answer([{ id: 1, is_active: 1, foreign_keys: 0 }]) });
  const lines = assertDone(await make("import", { STATE, FROM, URL: url, REMOTE: "production", PATH }));
  assert.equal(lines[0], `Importing ${FROM} (ndjson) into the remote database of production.`);
  assert.equal(accounts.size, 2);
  assert.equal(calls().length, 2, "the key is made, and withdrawn");
  for (const { args } of calls()) {
    assert.deepEqual(args.slice(0, 7), ["d1", "execute", "DB", "--remote", "--env=production", "--yes", "--json"]);
    assert.ok(!args.join(" ").includes("ea_sk_"), "the command line has the hash of the key only");
  }
});

test("an empty file is an import of no users", async (t) => {
  const { STATE, PATH } = withoutDatabase(t);
  const FROM = usersFile(STATE, []);
  const lines = assertDone(await make("import", { STATE, PATH, FROM, URL: "https://nowhere.example" }));
  assert.equal(lines[1], "Created: 0. Existed already, unchanged: 0. New full name: 0. Refused: 0.");
});
