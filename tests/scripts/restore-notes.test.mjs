// After D1 Time Travel: the runbook of docs/operate.md on a local database, with a copy of its folder in place of Time
// Travel. The SQL of `make restore-notes` repeats the changes that a restore must not undo.
import assert from "node:assert/strict";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { readNotes } from "../../scripts/restoring/reading.mjs";
import { statementsOf } from "../../scripts/restoring/statements.mjs";
import { asUser, changePassword, deleteAccount, login, me, newUser, post, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { assertEnvelope } from "../e2e/support/envelope.mjs";
import { mailedLink, withMailbox } from "../e2e/support/mailbox.mjs";
import { startService } from "../e2e/support/service.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
import { asking, insert, migratedDatabase } from "./support/audit-database.mjs";
import { assertGaveUp, environment, make, migratedFolders, run } from "./support/make.mjs";

const migrated = migratedFolders();
const PLATFORM_ADMIN = `INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
  VALUES (?1, NULL, 'PLATFORM_ADMIN', NULL, 1)`;
const ROLE_REMOVED = `INSERT INTO audit_events (created_at, type, reason, user_id, request_id)
  VALUES (?1, 'role_removed', 'PLATFORM_ADMIN', ?2, 'x')`;
const ADD_SALT = "INSERT INTO audit_salts (user_id, salt) VALUES (?1, ?2)";
const ADD_KEY = `
  INSERT INTO audit_keys (id, kid, public_key, private_key, master_key, encrypted_by, created_at)
  VALUES (1, 'kid', '{}', ?1, 'master', 'it''s', 5)`;
const NEXT = "her next passphrase";
const MOVED = "moved@mail.example";

/** Starts the service on the folder for the length of one function. */
async function serving(folder, use) {
  const options = { state: join(folder, "v3"), migrate: false, settings: { ALGORITHM: "EdDSA" } };
  const service = await startService(withMailbox(options));
  try {
    return await use(service);
  } finally {
    await service.stop();
  }
}

/** Seven users, named after their later change; three are administrators, one of them with an API key and a used link. */
async function populate(service) {
  const people = {};
  for (const name of ["admin", "erased", "changed", "disabled", "demoted", "emptied", "moved"]) {
    people[name] = await signUp(service);
  }
  await rows(service.db, PLATFORM_ADMIN, people.admin.id);
  await rows(service.db, PLATFORM_ADMIN, people.demoted.id);
  await rows(service.db, PLATFORM_ADMIN, people.emptied.id);
  const key = { name: "Key", permissions: ["universities:view"] };
  // Where mail is on, a key needs a verified address; only an account without one is emptied.
  const verified = "UPDATE users SET email_verified_at = ?2 WHERE id = ?1";
  await rows(service.db, verified, people.emptied.id, 1);
  assert.equal((await asUser(service, people.emptied.access, "POST", "/users/me/api-keys", key)).status, 201);
  await rows(service.db, verified, people.emptied.id, null);
  const account = (name) => ({ name, scopes: ["users:read", "introspect"] });
  const added = async (name) =>
    (await asUser(service, people.admin.access, "POST", "/admin/service-accounts", account(name))).body;
  const asAdmin = (path, body) => asUser(service, people.admin.access, "POST", path, body);
  const { body: university } = await asAdmin("/universities", { name: "Restored", slug: "restored" });
  await rows(service.db, ADD_SALT, people.erased.id, "salt of the erased");
  await rows(service.db, ADD_SALT, people.disabled.id, "salt of before");
  const invited = await asAdmin(`/universities/${university.id}/roles`, { email: "invited@mail.example", role: "STUDENT" });
  assert.equal(invited.status, 202, invited.text);
  const invitation = `/universities/${university.id}/invitations/${invited.body.invitation.id}`;
  return { ...people, invitation, gone: await added("Gone"), narrowed: await added("Narrowed") };
}

/** The changes that the restore undoes, through the API; and a user whose id it would give out again. */
async function change(service, { admin, erased, changed, disabled, demoted, emptied, moved, invitation, gone, narrowed }) {
  assert.equal((await deleteAccount(service, erased.access, erased.user.password)).status, 204);
  assert.equal((await changePassword(service, changed.access, changed.user.password, NEXT)).status, 200);
  const off = await asUser(service, admin.access, "PATCH", `/admin/users/${disabled.id}`, { is_active: false });
  assert.equal(off.status, 200, off.text);
  await rows(service.db, "DELETE FROM user_university_roles WHERE user_id = ?1", demoted.id);
  await rows(service.db, ROLE_REMOVED, Date.now(), demoted.id);
  const accounts = (method, path, body) => asUser(service, admin.access, method, `/admin/service-accounts${path}`, body);
  assert.equal((await accounts("DELETE", `/${gone.id}`)).status, 204);
  assert.equal((await accounts("PATCH", `/${narrowed.id}`, { scopes: ["introspect"] })).status, 200);
  const first = narrowed.key.split("_")[2];
  assert.equal((await accounts("DELETE", `/${narrowed.id}/keys/${first}`)).status, 204);
  assert.equal((await asUser(service, admin.access, "DELETE", invitation)).status, 204);
  const { email } = emptied.user;
  assert.equal((await post(service, "/auth/password/forgot", { email })).status, 202);
  const { token } = await mailedLink(service, email, "reset");
  assert.equal((await post(service, "/auth/password/reset", { token, new_password: NEXT })).status, 200);
  const asked = await asUser(service, moved.access, "PUT", "/users/me/email", { new_email: MOVED });
  const { code } = await mailedLink(service, MOVED, "verify");
  const { status } = await post(service, "/auth/email/verify", { flow: asked.body.flow, code });
  assert.equal(status, 200);
  await rows(service.db, ADD_KEY, "key of now");
  await rows(service.db, ADD_SALT, moved.id, "salt of now");
  const later = await signUp(service, newUser());
  await rows(service.db, ADD_SALT, later.id, "salt of later");
  return later;
}

test("the notes repeat erasures, passwords, disabled accounts, removed roles and withdrawn keys, and no id comes twice", async (t) => {
  const folder = migrated(t);
  const people = await serving(folder, populate);
  const backup = stateFolder(t);
  cpSync(folder, backup, { recursive: true });
  const SINCE = new Date().toISOString();
  const later = await serving(folder, (service) => change(service, people));

  const notes = await make("restore-notes", { STATE: folder, SINCE });
  assert.equal(notes.code, 0, notes.stderr);
  assert.match(notes.stderr, /1 erased, 3 passwords or states changed, 2 with removed roles/);
  assert.match(notes.stderr, /1 keys withdrawn, 1 service accounts deleted, 1 changed, 2 addresses proven/);
  rmSync(folder, { recursive: true });
  cpSync(backup, folder, { recursive: true });
  await serving(folder, async (service) => {
    assert.equal((await login(service, people.erased.user)).status, 200, "the restore revives the erased account");
    const keys = await rows(service.db, "SELECT id FROM api_keys");
    assert.equal(keys.length, 3, "the restore revives the withdrawn keys");
    assert.equal((await rows(service.db, "SELECT id FROM invitations")).length, 1, "and the withdrawn invitation");
    assert.equal((await me(service, people.disabled.access)).status, 200, "and ended sessions");
  });
  const file = join(stateFolder(t), "again.sql");
  writeFileSync(file, notes.stdout);
  for (const time of ["once", "twice"]) {
    const args = ["d1", "execute", "DB", "--local", "--persist-to", folder, "--file", file, "--yes"];
    const applied = await run("wrangler", args, { env: environment(folder) });
    assert.equal(applied.code, 0, `${time}: ${applied.stdout}${applied.stderr}`);
  }

  await serving(folder, async (service) => {
    const { erased, changed, disabled, demoted, emptied } = people;
    assert.equal((await login(service, erased.user)).status, 401);
    const [{ email }] = await rows(service.db, "SELECT email FROM users WHERE id = ?1", erased.id);
    assert.equal(email, `erased:${erased.id}`);
    // Before the sign-ins, of which there are notices.
    const waiting = "SELECT id FROM email_proofs UNION SELECT id FROM mails UNION SELECT id FROM invitations";
    assert.deepEqual(await rows(service.db, waiting), []);
    assert.equal((await login(service, changed.user)).status, 401, "the password from before");
    assert.equal((await login(service, { ...changed.user, password: NEXT })).status, 200);
    assert.equal((await login(service, disabled.user)).status, 403);
    assert.equal((await login(service, people.admin.user)).status, 200);
    const roles = await rows(service.db, "SELECT user_id FROM user_university_roles");
    assert.deepEqual(roles, [{ user_id: people.admin.id }], `neither ${demoted.id} nor ${emptied.id}`);
    assert.equal((await login(service, emptied.user)).status, 401, "the password from before the reset");
    const { body } = await login(service, { ...emptied.user, password: NEXT });
    assert.equal((await me(service, body.access_token)).body.email_verified, true);
    assert.equal((await login(service, people.moved.user)).status, 401, "the address from before the change");
    assert.equal((await login(service, { ...people.moved.user, email: MOVED })).status, 200);
    assert.deepEqual(await rows(service.db, "SELECT private_key, encrypted_by FROM audit_keys"), [{ private_key: "key of now", encrypted_by: "it's" }]);
    const salts = await rows(service.db, "SELECT user_id, salt FROM audit_salts ORDER BY salt");
    assert.deepEqual(salts, [{ user_id: disabled.id, salt: "salt of before" }, { user_id: people.moved.id, salt: "salt of now" }]);
    assert.deepEqual(await rows(service.db, "SELECT id FROM api_keys"), []);
    assertEnvelope(await me(service, people.admin.access), 401, "AUTH_TOKEN_INVALID");
    const accounts = await rows(service.db, "SELECT name, scopes FROM service_accounts");
    assert.deepEqual(accounts, [{ name: "Narrowed", scopes: '["introspect"]' }]);
    const { id } = await signUp(service, newUser());
    assert.ok(id > later.id, `${id} was ${later.id}'s`);
  });
});

test("the notes say that they are incomplete, if events since the moment are in the archive or deleted", async (t) => {
  const folder = migrated(t);
  const SINCE = "2026-11-28T10:00:00Z";
  const [since, later] = [Date.parse(SINCE), "2026-11-28T10:00:01Z"];
  const execute = async (sql) => {
    const args = ["d1", "execute", "DB", "--local", "--persist-to", folder, "--command", sql, "--yes"];
    assert.equal((await run("wrangler", args, { env: environment(folder) })).code, 0);
  };
  const notes = async (SINCE) => (await make("restore-notes", { STATE: folder, SINCE })).stderr;
  const event = (at) => `INSERT INTO audit_events (id, created_at, type, request_id) VALUES (${at}, ${at}, 'deleted', 'x')`;
  assert.match(await notes(SINCE), /^INCOMPLETE, unless nothing happened from 2026-11-28T10:00:00Z to now: /m);
  await execute(event(since + 1));
  assert.match(await notes(SINCE), /^INCOMPLETE, unless nothing happened from 2026-11-28T10:00:00Z to 2026-11-28T10:00:00\.001Z: /m);
  await execute(event(since));
  assert.doesNotMatch(await notes(SINCE), /INCOMPLETE/);
  await execute(`INSERT INTO audit_objects (object, sha256, first_kept, events, total, newest_at, made_at)
    VALUES (1, '${"0".repeat(64)}', 1, 1, 1, ${since}, 1)`);
  const whole = await notes(SINCE);
  assert.match(whole, /^INCOMPLETE: events from 2026-11-28T10:00:00Z to 2026-11-28T10:00:00\.000Z are in the archive/m);
  const mayBeDeleted = /Objects of the beginning of that time may have been deleted\.$/m;
  assert.doesNotMatch(whole, mayBeDeleted);
  assert.match(await notes("2026-11-28T09:59:59Z"), mayBeDeleted);
  assert.doesNotMatch(await notes(later), /INCOMPLETE/);
});

test("without a moment nothing is asked", async (t) => {
  const folder = migrated(t);
  for (const SINCE of ["", "yesterday", "2026-11-28T10:00:00"]) {
    assert.match(assertGaveUp(await make("restore-notes", { STATE: folder, SINCE })), /make restore-notes SINCE=/);
  }
});

/** Seven users, of each of whom a restore would undo everything, seven service accounts, and rows of before the moment 100. */
function changedDatabase() {
  const database = migratedDatabase();
  database.exec("PRAGMA foreign_keys = OFF");
  let events = 0;
  const happened = (type, members) => insert(database, "audit_events", { id: (events += 1), created_at: 100, type, request_id: "x", ...members });
  for (let id = 1; id <= 7; id += 1) {
    const user = { id, email: `${id}@mail.example`, password_hash: "it's", created_at: 1, email_verified_at: 2, passkey_handle: "h" };
    insert(database, "users", user);
    insert(database, "user_university_roles", { user_id: id, university_id: 1, role: "STUDENT", created_at: 1 });
    insert(database, "service_accounts", { id, client_id: `c${id}`, name: "n", scopes: "[]", created_at: 1, updated_at: 1 });
    const key = { name: "k", permissions: "[]", secret_hash: "0".repeat(64), created_at: 1 };
    insert(database, "api_keys", { id: 10 * id, user_id: id, ...key });
    insert(database, "totp_secrets", { id, user_id: id, is_confirmed: 1, secret: "s", encrypted_by: "e", created_at: 1 });
    insert(database, "recovery_codes", { user_id: id, hashes: "", created_at: 1 });
    for (const place of [1, 2]) {
      const passkey = { name: "p", algorithm: "ES256", public_key: "{}", sign_count: 0, transports: "[]", is_backup_eligible: 0, is_backed_up: 0, created_at: 1 };
      insert(database, "passkeys", { id: 10 * place + id, user_id: id, credential_id: `${place}/${id}`, ...passkey });
    }
    insert(database, "identities", { id, user_id: id, provider: "p", issuer: "i", subject: String(id), created_at: 1 });
    insert(database, "audit_salts", { user_id: id, salt: "salt" });
    ["password_reset", "role_removed", "factor_removed"].forEach((type) => happened(type, { user_id: id }));
    happened("deleted", { user_id: 100 + id });
    ["api_key_withdrawn", "service_account_changed"].forEach((type) => happened(type, { object_id: id }));
    happened("service_account_deleted", { object_id: 100 + id });
  }
  happened("service_account_deleted", { object_id: 101 });
  insert(database, "audit_keys", { id: 1, kid: "k", public_key: "{}", private_key: "", master_key: "", encrypted_by: "", created_at: 1 });
  return database;
}

test("lists of any length are read page by page, and the notes are the same", () => {
  const ask = asking(changedDatabase());
  const calls = [];
  const asked = (sql) => {
    const results = ask(sql);
    calls.push(...sql.split(";").map((statement, index) => ({ statement, rows: results[index].length })));
    return results;
  };
  const notes = readNotes(asked, 100, 2);
  const whole = calls.filter(({ statement }) => !/ LIMIT 2$/.test(statement)).map(({ statement }) => /FROM (\w+)/.exec(statement)[1]);
  assert.deepEqual(whole, ["sqlite_sequence", "audit_keys", "audit_objects"], "tables of few rows");
  assert.ok(calls.every(({ statement, rows }) => rows <= 2 || statement.includes("sqlite_sequence")));
  const paged = Object.entries(notes).filter(([name]) => !["sequences", "archiveKeys", "moments"].includes(name));
  assert.deepEqual(paged.map(([name, { length }]) => [name, length]), paged.map(([name]) => [name, name === "passkeys" ? 14 : 7]));
  assert.deepEqual(notes, readNotes(ask, 100));
  assert.deepEqual(readNotes(ask, 101).erased, []);
});

test("a user that used a recovery code is one whose second factors changed", () => {
  const database = migratedDatabase();
  const since = Date.parse("2026-11-28T10:00:00Z");
  insert(database, "users", { id: 1, email: "1@mail.example", password_hash: "", created_at: 1 });
  const used = (created_at) => {
    // The id that the service gives to an event of this moment.
    const id = (created_at - Date.parse("2025-01-01T00:00:00Z")) * 4096;
    insert(database, "audit_events", { id, created_at, type: "signed_in", reason: "recovery_code", user_id: 1, request_id: "x" });
    return readNotes(asking(database), since).refactored.map(({ id }) => id);
  };
  assert.deepEqual(used(since - 1), []);
  assert.deepEqual(used(since), [1]);
});

test("every statement of the notes is below D1's limit, and a user keeps exactly the roles of now", () => {
  const now = changedDatabase();
  const before = changedDatabase();
  for (let id = 1001; id <= 7000; id += 1) {
    const role = { id: 9_007_199_254_000_000 + id, user_id: 3, university_id: id, role: "STUDENT", created_at: 1 };
    if (id % 3 > 0) {
      insert(now, "user_university_roles", role);
    }
    insert(before, "user_university_roles", role);
    insert(now, "audit_salts", { user_id: 9_007_199_254_000_000 + id, salt: "s".repeat(22) });
  }
  const statements = statementsOf(readNotes(asking(now), 100));
  assert.ok(Math.max(...statements.map(({ length }) => length)) < 100_000);
  statements.forEach((statement) => before.exec(statement));
  const roles = "SELECT id FROM user_university_roles ORDER BY id";
  const rows = (database, sql) => asking(database)(sql)[0];
  assert.equal(rows(now, roles).length, 4007);
  assert.deepEqual(rows(before, roles), rows(now, roles));
  assert.deepEqual(rows(before, "SELECT * FROM passkeys"), rows(now, "SELECT * FROM passkeys"));
});
