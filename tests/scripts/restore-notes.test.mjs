// After D1 Time Travel: the runbook of docs/operate.md on a local database, with a copy of its folder in place of Time
// Travel. The SQL of `make restore-notes` repeats the changes that a restore must not undo.
import assert from "node:assert/strict";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { asUser, changePassword, deleteAccount, login, me, newUser, post, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { assertEnvelope } from "../e2e/support/envelope.mjs";
import { mailedLink, withMailbox } from "../e2e/support/mailbox.mjs";
import { startService } from "../e2e/support/service.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
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
