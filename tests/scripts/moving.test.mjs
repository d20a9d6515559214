// The whole move of ten thousand users: out of a database that the old service's own libraries made, by one `make import`, through
// the first sign-ins, and back to passlib. And a file with a line of 10 MB. Real make, wrangler, D1 and Worker.
//
// New hashes have a thousand rounds instead of 600,000, or the new hashes of the first sign-ins would take a minute more. The
// default of IMPORT_MAX_HASH_COST depends on them, so it is set to the one that a deployment has to admit bcrypt of cost 12.
// Most of the time is bcrypt's: 200 hashes of the usual costs, and as many sign-ins.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DatabaseSync } from "node:sqlite";

import { login } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { assertEnvelope, assertSuccess } from "../e2e/support/envelope.mjs";
import { newLines } from "../e2e/support/imports.mjs";
import { startFor, stateFolder } from "../e2e/support/start.mjs";
import { assertDone, make, migratedFolders, ROOT, run } from "./support/make.mjs";

const migrated = migratedFolders();
const PYTHON = join(ROOT, ".tools/moving/bin/python");
const SETTINGS = { PASSWORD_ITERATIONS: "1000", IMPORT_MAX_HASH_COST: "1200000" };
const [USERS, SAMPLE] = [10_000, 200];
/** The kinds of passwords in `tests/moving/large.py` whose spelling the test changes. */
const [NFC, NFD] = [3, 4];

/** A service on the database of a folder of its own, and the variables by which make finds both. */
async function started(t) {
  const STATE = migrated(t);
  const service = await startFor(t, { state: join(STATE, "v3"), migrate: false, settings: SETTINGS });
  return { service, variables: { STATE, URL: service.origin } };
}

/** The old database, and its sample of users with their passwords. */
async function oldService() {
  const path = join(stateFolder(), "app.db");
  const args = [join(ROOT, "tests/moving/large.py"), path, String(USERS), String(SAMPLE)];
  const { code, stdout, stderr } = await run(PYTHON, args);
  assert.equal(code, 0, stderr);
  const stored = new DatabaseSync(path, { readOnly: true }).prepare("SELECT id, email, hashed_password, is_active, created_at FROM users ORDER BY id").all();
  assert.equal(stored.length, USERS);
  return { path, stored, sample: JSON.parse(stdout) };
}

const usersOf = ({ db }) => rows(db, "SELECT * FROM users ORDER BY id");
const millis = (text) => Date.parse(`${text.replace(" ", "T").slice(0, 23)}Z`);

/** Every old user is here, with the old id, hash, state and time. */
async function assertMoved(service, stored) {
  const users = await usersOf(service);
  const here = users.map((user) => [user.external_id, user.email, user.password_hash, user.is_active, user.created_at]);
  const there = stored.map((user) => [String(user.id), user.email.toLowerCase(), `imported:${user.hashed_password}`, user.is_active, millis(user.created_at)]);
  assert.deepEqual(here, there);
}

const refused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");

/** The old password signs in as it was typed there, and in no other spelling. */
async function firstSignIn(service, { email, password, kind, is_active: isActive }, index) {
  if (index % 20 === 0) {
    refused(await login(service, { email, password: `${password}!` }));
  }
  if (kind === NFC || kind === NFD) {
    const other = password.normalize(kind === NFC ? "NFD" : "NFC");
    assert.notEqual(other, password);
    if (index < 20) {
      refused(await login(service, { email, password: other }));
    }
  }
  const answer = await login(service, { email, password });
  if (isActive) {
    assertSuccess(answer, 200);
  } else {
    assertEnvelope(answer, 403, "AUTH_INACTIVE_USER");
  }
}

/** New hashes are of the NFKC form, so all spellings of a password sign in. */
async function laterSignIn(service, { email, password, kind, is_active: isActive }) {
  const forms = kind === NFC || kind === NFD ? ["NFC", "NFD", "NFKC"] : ["NFKC"];
  for (const form of isActive ? forms : []) {
    assertSuccess(await login(service, { email, password: password.normalize(form) }), 200);
  }
}

/** The passwords of the sample, verified by passlib with the code of docs/migrate.md. */
async function verifiedBack(variables, sample) {
  const TO = join(variables.STATE, "back.ndjson");
  assertDone(await make("export", { STATE: variables.STATE, TO, FORMAT: "passlib" }));
  const lines = readFileSync(TO, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.length, USERS);
  const input = join(variables.STATE, "pairs");
  const right = sample.map(({ password }, index) => ({ hash: lines[index].password_hash, password }));
  const wrong = sample.slice(0, 10).map((_, index) => ({ hash: lines[index].password_hash, password: "another password" }));
  writeFileSync(input, [...right, ...wrong].map((pair) => `${JSON.stringify(pair)}\n`).join(""));
  const { stdout, stderr } = await run("sh", ["-c", `"${PYTHON}" tests/moving/verify.py <"${input}"`]);
  assert.equal(stderr, "");
  assert.deepEqual(JSON.parse(stdout), [...right.map(() => true), ...wrong.map(() => false)]);
}

test("ten thousand users move in by one command, sign in by their old passwords, and can move out again", async (t) => {
  const step = async (name, work) => {
    const begun = performance.now();
    const result = await work();
    t.diagnostic(`${name}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    return result;
  };

  const { path, stored, sample } = await step("the old service", oldService);
  const { service, variables } = await step("the start of the service", () => started(t));
  const lines = await step("import", async () => assertDone(await make("import", { ...variables, FROM: path })));
  assert.equal(lines[0], `Importing ${path} (fastapi) into the local database in ${variables.STATE}.`);
  assert.equal(lines[1], `Created: ${USERS}. Existed already, unchanged: 0. New full name: 0. Refused: 0.`);
  await step("comparison", () => assertMoved(service, stored));

  await step("first sign-ins", async () => {
    for (const [index, person] of sample.entries()) {
      await firstSignIn(service, person, index);
    }
  });
  const users = await usersOf(service);
  sample.forEach(({ is_active: isActive }, index) => {
    assert.match(users[index].password_hash, isActive ? /^\$pbkdf2-sha256\$i=1000,l=32\$/ : /^imported:\$2b\$/);
  });
  assert.equal(users.filter(({ password_hash: hash }) => hash.startsWith("imported:")).length, USERS - sample.filter(({ is_active: isActive }) => isActive).length);
  await step("later sign-ins", async () => {
    for (const person of sample) {
      await laterSignIn(service, person);
    }
    refused(await login(service, { ...sample[0], password: `${sample[0].password}!` }));
  });

  const before = await usersOf(service);
  const again = await step("the same import again", async () => assertDone(await make("import", { ...variables, FROM: path })));
  assert.equal(again[1], `Created: 0. Existed already, unchanged: ${USERS}. New full name: 0. Refused: 0.`);
  assert.deepEqual(await usersOf(service), before);

  await step("export, and passlib", () => verifiedBack(variables, sample));
});

test("a line of 10 MB is one refused line, and its neighbours come in", async (t) => {
  const { service, variables } = await started(t);
  const lines = newLines(3);
  const texts = lines.map((line) => JSON.stringify(line));
  const FROM = join(variables.STATE, "users.ndjson");
  writeFileSync(FROM, [texts[0], `{"email":"${"x".repeat(10_000_000)}"}`, ...texts.slice(1), ""].join("\n"));
  const { code, stdout } = await make("import", { ...variables, FROM });
  assert.equal(code, 2, "make's own code for a recipe that failed");
  assert.match(stdout, /^Created: 3\. .* Refused: 1\.$/m);
  assert.equal(readFileSync(`${FROM}.refused.ndjson`, "utf8"), '{"line":2,"code":"line_too_long"}\n');
  assert.deepEqual((await usersOf(service)).map(({ email }) => email), lines.map(({ email }) => email));
});
