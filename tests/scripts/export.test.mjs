// `make export`: the lines that `make import` reads, with hashes that another edge-auth, or passlib, verifies.
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { newUser, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
import { hashOf } from "../../scripts/moving/exported.mjs";
import { linesOf } from "./support/import-source.mjs";
import { assertDone, assertGaveUp, make, migratedFolders, ROOT, run, serviceOn } from "./support/make.mjs";
import { standIn } from "./support/stand-in.mjs";

const migrated = migratedFolders();
const BCRYPT = "$2b$04$ABCDEFGHIJKLMNOPQRSTUuN45o0I4Ux3aOCHznMM6/jLBp/pgdH6y";
const read = (path) => readFileSync(path, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));

/** Six users: a usual one, a member, one that was imported, one without a password, a disabled one, an erased one. */
async function populated(t) {
  const STATE = migrated(t);
  const service = await serviceOn(t, STATE);
  const people = [];
  for (let number = 0; number < 6; number += 1) {
    // NFKC changes this password.
    people.push(await signUp(service, { ...newUser(), password: `\ufb01ance\u0301 \u2116\uff11 ${number}` }));
  }
  const run = (sql, ...values) => rows(service.db, sql, ...values);
  const [, member, imported, passwordless, disabled, erased] = people.map(({ id }) => id);
  await run("INSERT INTO universities (id, name, slug, created_at) VALUES (3, 'U', 'u', 0)");
  await run("INSERT INTO departments (id, university_id, name, created_at) VALUES (4, 3, 'D', 0)");
  const grant = "INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at) VALUES";
  await run(`${grant} (?1, NULL, 'PLATFORM_ADMIN', NULL, 0), (?1, 3, 'STUDENT', NULL, 0), (?1, 3, 'TA', 4, 0)`, member);
  await run("UPDATE users SET password_hash = ?2, full_name = 'Ada', email_verified_at = 5, created_at = 1709209800000 WHERE id = ?1", imported, `imported:${BCRYPT}`);
  const oldId = "UPDATE users SET imported_by = ?2, external_id = ?3 WHERE id = ?1";
  await run(oldId, imported, "service/8", "old-7");
  await run(oldId, member, "service/8", "1");
  await run(oldId, disabled, "user/9", "1");
  await run("UPDATE users SET has_password = 0 WHERE id = ?1", passwordless);
  await run("UPDATE users SET is_active = 0 WHERE id = ?1", disabled);
  await run("UPDATE users SET erasure_cursor = 0, is_active = 0 WHERE id = ?1", erased);
  return { STATE, service, people };
}

test("all users are written with their old ids, hashes and roles, for the owner's eyes", async (t) => {
  const { STATE, service, people } = await populated(t);
  const TO = join(STATE, "users.ndjson");
  const lines = assertDone(await make("export", { STATE, TO }));
  assert.equal(lines[0], `Wrote 5 users to ${TO}, from the local database in ${STATE}.`);
  assert.match(lines[1], /^The file has password hashes/);
  assert.equal(statSync(TO).mode & 0o777, 0o600);
  const users = read(TO);
  assert.deepEqual(users.map(({ email }) => email), people.slice(0, 5).map(({ user }) => user.email));
  const [usual, member, imported, passwordless, disabled] = users;
  const [{ password_hash: stored, created_at: createdAt }] = await rows(service.db, "SELECT password_hash, created_at FROM users WHERE id = ?1", people[0].id);
  assert.equal(usual.password_hash, `edge-auth:${stored}`);
  assert.equal(usual.created_at, new Date(createdAt).toISOString());
  assert.deepEqual(users.map((user) => user.external_id), ["edge-auth:1", "1", "old-7", "edge-auth:4", "edge-auth:5"]);
  assert.deepEqual(member.roles, [{ role: "STUDENT", university_id: 3 }, { role: "TA", university_id: 3, department_id: 4 }]);
  const wanted = { external_id: "old-7", email: people[2].user.email, email_verified: true, full_name: "Ada", password_hash: BCRYPT };
  assert.deepEqual(imported, { ...wanted, created_at: "2024-02-29T12:30:00.000Z", is_active: true });
  assert.ok(!("password_hash" in passwordless));
  assert.equal(disabled.is_active, false);

  const again = await linesOf(TO);
  assert.deepEqual([again.format, again.lines], ["ndjson", users], "an import reads it as it is");
});

test("with FORMAT=passlib, the code of docs/migrate.md verifies the passwords with passlib, and refuses others", async (t) => {
  const { STATE, people } = await populated(t);
  const TO = join(STATE, "users.ndjson");
  assertDone(await make("export", { STATE, TO, FORMAT: "passlib" }));
  const [usual, , imported] = read(TO);
  assert.match(usual.password_hash, /^\$pbkdf2-sha256\$\d+\$[A-Za-z0-9./]+\$[A-Za-z0-9./]+$/);
  const pairs = [
    { hash: usual.password_hash, password: people[0].user.password },
    { hash: usual.password_hash, password: "another password" },
    { hash: imported.password_hash, password: "another password" },
  ];
  const input = join(STATE, "pairs");
  writeFileSync(input, pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(""));
  const { stdout, stderr } = await run("sh", ["-c", `.tools/moving/bin/python tests/moving/verify.py <"${input}"`], { cwd: ROOT });
  assert.deepEqual(JSON.parse(stdout || "[]"), [true, false, false], stderr);
});

test("users with more roles than an import takes are counted", async (t) => {
  const { STATE, service, people } = await populated(t);
  const universities = `
    WITH RECURSIVE numbers (n) AS (SELECT 11 UNION ALL SELECT n + 1 FROM numbers WHERE n < 31)
    INSERT INTO universities (id, name, slug, created_at) SELECT n, n, n, 0 FROM numbers`;
  await rows(service.db, universities);
  const roles = "INSERT INTO user_university_roles (user_id, university_id, role, created_at) SELECT ?1, id, 'STUDENT', 0 FROM universities WHERE id > 10";
  await rows(service.db, roles, people[0].id);
  const lines = assertDone(await make("export", { STATE, TO: join(STATE, "users.ndjson") }));
  assert.equal(lines[1], "1 of them have more than 20 roles, with which an import refuses them.");
});

test("hashes of each kind have the text of their reader", () => {
  const own = "$pbkdf2-sha256$i=600000,l=32$+/salt$+/hash";
  const argon2id = "$argon2id$v=19$m=19456,t=2,p=1$+/salt$+/hash";
  assert.equal(hashOf(own, ""), `edge-auth:${own}`);
  assert.equal(hashOf(own, "passlib"), "$pbkdf2-sha256$600000$./salt$./hash");
  assert.equal(hashOf(argon2id, ""), `edge-auth:${argon2id}`);
  assert.equal(hashOf(argon2id, "passlib"), argon2id);
  for (const format of ["", "passlib"]) {
    assert.equal(hashOf(`imported:${BCRYPT}`, format), BCRYPT);
  }
});

test("a file that exists is never overwritten, and a failure leaves none behind", async (t) => {
  const STATE = stateFolder(t);
  const TO = join(STATE, "users.ndjson");
  const broken = standIn(t, { code: 1, stderr: "✘ [ERROR] refused" });
  const variables = { STATE, REMOTE: "staging", PATH: broken.PATH };
  assert.match(assertGaveUp(await make("export", { ...variables, TO })), /^wrangler gave up on the remote database of staging: refused/);
  writeFileSync(TO, "mine");
  assert.equal(assertGaveUp(await make("export", { ...variables, TO })), `${TO} exists already: choose another file.`);
  assert.equal(readFileSync(TO, "utf8"), "mine");
  assert.match(assertGaveUp(await make("export", variables)), /^Say where to: make export TO=/);
  assert.match(assertGaveUp(await make("export", { ...variables, TO, FORMAT: "csv" })), /^FORMAT= is passlib/);
  assert.match(assertGaveUp(await make("export", { ...variables, TO: join(STATE, "no/file") })), /cannot be written: ENOENT/);
});
