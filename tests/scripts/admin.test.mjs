// `make admin` on a local database, beside a service that uses the same one.
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { asUser, deleteAccount, newUser, send, signUp } from "../e2e/support/client.mjs";
import { eventsOf, rows } from "../e2e/support/database.mjs";
import { administrators, appoint } from "../e2e/support/roles.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
import { assertDone, assertGaveUp, contents, make, migratedFolders, serviceOn } from "./support/make.mjs";

const migrated = migratedFolders();

/** A service with a database of its own, and `admin(EMAIL)` on it, for addresses that are not verified. */
async function start(t) {
  const STATE = migrated(t);
  const service = await serviceOn(t, STATE);
  return { STATE, service, admin: (EMAIL) => make("admin", { STATE, EMAIL, UNVERIFIED: "yes" }) };
}

const disable = (service, { id }) => rows(service.db, "UPDATE users SET is_active = 0 WHERE id = ?1", id);

test("a registered user becomes an administrator of the platform, once", async (t) => {
  const { STATE, service, admin } = await start(t);
  await signUp(service);
  const ada = await signUp(service);
  const usersSeenBy = async ({ access }) => (await asUser(service, access, "GET", "/admin/users")).status;
  assert.equal(await usersSeenBy(ada), 403);
  const label = `${ada.user.email} (user ${ada.id})`;

  const where = `in the local database in ${STATE}`;
  const [{ created_at: createdAt }] = await rows(service.db, "SELECT created_at FROM users WHERE id = ?1", ada.id);
  const state = `${label} was registered at ${new Date(createdAt).toISOString()}. The address is not verified.`;
  assert.deepEqual(assertDone(await admin(ada.user.email)), [
    state,
    `${label} is an administrator of the platform now, ${where}.`,
  ]);
  assert.equal(await usersSeenBy(ada), 200, "from the next request on");
  const before = await contents(service.db);
  assert.deepEqual(assertDone(await admin(ada.user.email)), [
    state,
    `${label} was an administrator of the platform already, ${where}.`,
  ]);
  assert.deepEqual(await contents(service.db), before);

  const grants = await rows(service.db, "SELECT user_id, university_id, role FROM user_university_roles");
  assert.deepEqual(grants, [{ user_id: ada.id, university_id: null, role: "PLATFORM_ADMIN" }]);
  const events = (await eventsOf(service.db, ada.id)).filter(({ type }) => type === "role_granted");
  assert.deepEqual(events.map(({ reason, actor_id: actor }) => [reason, actor]), [["PLATFORM_ADMIN", null]]);
});

test("an account whose address is not verified is made an administrator only on demand", async (t) => {
  const { STATE, service } = await start(t);
  const { id, user } = await signUp(service);
  const before = await contents(service.db);
  for (const said of [{}, { UNVERIFIED: "no" }, { UNVERIFIED: "true" }]) {
    const line = assertGaveUp(await make("admin", { STATE, EMAIL: user.email, ...said }));
    assert.match(line, /was registered at 20..-.*Z and has not verified the address: anyone may have registered it\./);
    assert.match(line, /or add UNVERIFIED=yes if the account is yours\.$/);
  }
  const exported = await make("admin", { STATE, EMAIL: user.email }, { UNVERIFIED: "yes" });
  assert.match(assertGaveUp(exported), /has not verified the address/, "only make's own command line counts");
  assert.deepEqual(await contents(service.db), before);
  await rows(service.db, "UPDATE users SET email_verified_at = 1 WHERE id = ?1", id);
  const lines = assertDone(await make("admin", { STATE, EMAIL: user.email }));
  assert.match(lines[0], /The address is verified\.$/);
  assert.match(lines[1], /is an administrator of the platform now/);
});

test("a service account is made with a key that works, and that is in no row", async (t) => {
  const { STATE, service } = await start(t);
  const lines = assertDone(await make("admin", { STATE, SERVICE: " Gate'way ", SCOPES: "users:read, introspect" }));
  const [clientId, key] = lines.slice(1, 3).map((line) => line.split(": ")[1]);
  const authorization = { Authorization: `Basic ${Buffer.from(`${clientId}:${key}`).toString("base64")}` };
  const form = { "Content-Type": "application/x-www-form-urlencoded", ...authorization };
  const ask = (path, body) => send(service, path, { method: "POST", headers: form, body });
  const { status, text } = await ask("/oauth/introspect", `token=${key}`);
  assert.deepEqual([status, JSON.parse(text).scope], [200, "introspect users:read"]);
  assert.equal((await ask("/oauth/token", "grant_type=client_credentials")).status, 200);
  const secret = key.split("_")[3];
  assert.ok(!JSON.stringify(await contents(service.db)).includes(secret));
  for (const wrong of [{ SCOPES: "" }, { SCOPES: "everything" }, { SERVICE: "a\u202eb", SCOPES: "introspect" }]) {
    assertGaveUp(await make("admin", { STATE, SERVICE: "Second", ...wrong }));
  }
  assert.equal((await rows(service.db, "SELECT id FROM service_accounts")).length, 1);
});

test("an address is compared as the service stores it", async (t) => {
  const { service, admin } = await start(t);
  const spellings = [
    [" Grace.Hopper@Example.COM ", "\tgrace.HOPPER@example.com\n"],
    ["jo\u0308rg@bücher.example", "\u0085J\u00d6RG@B\u00dcCHER.example\u2003"],
    ["ΟΔΟΣ@example.gr", "οδος@EXAMPLE.gr"],
    ["a'$b`c|d{e}&f@example.com", "A'$b`c|d{e}&f@example.com"],
  ];
  for (const [registered, given] of spellings) {
    const { id } = await signUp(service, { ...newUser(), email: registered });
    const [, line] = assertDone(await admin(given));
    assert.match(line, new RegExp(`\\(user ${id}\\) is an administrator of the platform now`));
  }
  assert.deepEqual(await administrators(service.db, "PLATFORM_ADMIN"), [1, 2, 3, 4]);
  const { id } = await signUp(service, { ...newUser(), email: "invisible@example.com" });
  assertGaveUp(await admin("\ufeffinvisible@example.com"));
  assert.ok(!(await administrators(service.db, "PLATFORM_ADMIN")).includes(id), "to the service that is no space");
});

test("a call without an address, and an unregistered address, are refused", async (t) => {
  const { STATE, service, admin } = await start(t);
  await signUp(service);
  const before = await contents(service.db);
  const unregistered = `Nobody is registered as ada@example.com in the local database in ${STATE}.`;
  assert.equal(assertGaveUp(await admin(" Ada@example.com")), `${unregistered} Register first: POST /auth/register.`);
  for (const nothing of [{}, { EMAIL: "" }, { EMAIL: "  " }]) {
    assert.equal(assertGaveUp(await make("admin", { STATE, ...nothing })), "Say who: make admin EMAIL=ada@example.com");
  }
  assert.deepEqual(await contents(service.db), before);
});

test("no character of an address has a meaning for make, the shell or SQL", async (t) => {
  const { STATE, service, admin } = await start(t);
  const { user } = await signUp(service);
  const before = await contents(service.db);
  const trace = join(STATE, "trace");
  const addresses = [
    `$(shell touch ${trace})${user.email}`,
    `$(touch ${trace})\`touch ${trace}\`'; touch ${trace}; "; touch ${trace} #@example.com`,
    `' OR 1=1 OR email = '${user.email}`,
    "'; UPDATE users SET is_active = 0; SELECT id, 1 AS is_active, 1 AS is_administrator FROM users; --",
    `${user.email}\\'; DELETE FROM users; --`,
    "--file=/dev/null",
  ];
  for (const address of addresses) {
    assert.match(assertGaveUp(await admin(address)), /^Nobody is registered as /, address);
  }
  assert.deepEqual(await contents(service.db), before);
  assert.ok(!existsSync(trace), "no command was run");
});

test("a disabled user is refused, also a former administrator", async (t) => {
  const { STATE, service, admin } = await start(t);
  const [plain, former] = [await signUp(service), await signUp(service)];
  await appoint(service, former);
  for (const person of [plain, former]) {
    await disable(service, person);
    const before = await contents(service.db);
    const line = assertGaveUp(await admin(person.user.email));
    const label = `${person.user.email} (user ${person.id})`;
    assert.equal(line, `${label} is disabled in the local database in ${STATE}: enable the account first.`);
    assert.deepEqual(await contents(service.db), before);
  }
});

test("an erased user is unknown, by the old address and by its replacement", async (t) => {
  const { service, admin } = await start(t);
  const gone = await signUp(service);
  // More than one step of the erasure can remove: a part of the row stays behind.
  const events = `
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000)
    INSERT INTO audit_events (created_at, type, user_id, request_id) SELECT n, 'refreshed', ?1, 'r' FROM numbers`;
  await rows(service.db, events, gone.id);
  assert.equal((await deleteAccount(service, gone.access, gone.user.password)).status, 204);
  const [{ email }] = await rows(service.db, "SELECT email FROM users WHERE id = ?1", gone.id);
  const before = await contents(service.db);
  for (const address of [gone.user.email, email]) {
    assert.match(assertGaveUp(await admin(address)), /^Nobody is registered as /);
  }
  assert.deepEqual(await contents(service.db), before);
});

test("a user with the maximum of roles gets no other", async (t) => {
  const { service, admin } = await start(t);
  const { id, user } = await signUp(service);
  const universities = `
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 200)
    INSERT INTO universities (name, slug, created_at) SELECT n, n, 0 FROM numbers`;
  await rows(service.db, universities);
  const roles = `
    INSERT INTO user_university_roles (user_id, university_id, role, created_at)
    SELECT ?1, id, 'STUDENT', 0 FROM universities`;
  await rows(service.db, roles, id);
  assert.match(assertGaveUp(await admin(user.email)), /has 200 roles in .*: take one away first\.$/);
  await rows(service.db, "DELETE FROM user_university_roles WHERE university_id = 7");
  assert.match(assertDone(await admin(user.email))[1], /is an administrator of the platform now/);
  assert.match(assertDone(await admin(user.email))[1], /was an administrator of the platform already/);
});

test("without tables it says how to make them, and that works", async (t) => {
  const STATE = stateFolder(t);
  // As after removing the data, but not the record that the migrations were applied to it.
  const note = join(STATE, "migrated");
  writeFileSync(note, "");
  const failure = `wrangler gave up on the local database in ${STATE}: no such table: `;
  const remedy = `: SQLITE_ERROR. Apply the migrations first: rm ${note} && make migrate STATE=${STATE}.`;
  for (const target of ["admin", "seed"]) {
    const line = assertGaveUp(await make(target, { STATE, EMAIL: "ada@example.com" }));
    assert.ok(line.startsWith(failure) && line.endsWith(remedy), line);
  }
  rmSync(note);
  const { stderr } = await make("admin", { STATE, EMAIL: "ada@example.com" });
  assert.match(stderr, /^Nobody is registered as ada@example\.com in the local database /);
});
