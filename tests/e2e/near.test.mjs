// Reads at replicas, on workerd: `wrappers/world.mjs` has a primary and a replica that lags as each test wants.
import assert from "node:assert/strict";
import { test } from "node:test";

import { asUser, logoutAll, me, refresh, signUp, updateProfile } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { everyMinute } from "./support/mailbox.mjs";
import { startFor } from "./support/start.mjs";
import { callsOf, databaseOf, forgetCalls, setWorld } from "./support/world.mjs";

const FAR = { "X-World-Region": "far" };
const HOUR = 3_600_000;
const MINUTE = 60_000;

/** The replica repeats as much as its lag lets through. */
const copy = (service) => rows(databaseOf(service, "east"), "SELECT 1");

/** A service whose primary is far from one region, and a user there whose sign-in the replica has. */
async function started(t, settings = {}) {
  const service = await startFor(t, { isReplicated: true, settings: { READ_REPLICATION: "on", ...settings } });
  await everyMinute(service);
  await setWorld(service, { regions: { far: { primary: 20, east: 2 } } });
  const user = await signUp(service);
  await copy(service);
  await forgetCalls(service);
  return { service, ...user };
}

/** The places that were called since the last reset. */
async function places(service) {
  const calls = await callsOf(service);
  await forgetCalls(service);
  return calls.map(({ place }) => place);
}

/** The heartbeat of the primary is this old, and so is that of replicas that have it. */
const age = (service, ms) => rows(service.db, "UPDATE heartbeat SET beat_at = ?1", Date.now() - ms);

test("a read goes to the nearest replica, a change to the primary once, and a refresh only there", async (t) => {
  const { service, access, refresh: token } = await started(t);
  assertSuccess(await me(service, access, FAR), 200);
  assert.deepEqual(await places(service), ["east"]);
  const changed = await updateProfile(service, access, { full_name: "New" }, FAR);
  assertSuccess(changed, 200);
  assert.deepEqual(await places(service), ["east", "primary"]);
  assert.match(changed.headers["x-edge-auth-bookmark"], /^[\w-]{116}$/);
  assertSuccess(await refresh(service, token, FAR), 200);
  assert.deepEqual(await places(service), ["primary"]);
});

test("a sign-in, a refresh and a change with its bookmark are read at once, however far the replica is behind", async (t) => {
  const { service } = await started(t);
  await setWorld(service, { east: { lag: HOUR } });
  const late = await signUp(service, undefined, FAR);
  assertSuccess(await me(service, late.access, FAR), 200);
  assert.deepEqual((await places(service)).slice(-2), ["east", "primary"]);
  const changed = await updateProfile(service, late.access, { full_name: "New" }, FAR);
  const bookmark = { "X-Edge-Auth-Bookmark": changed.headers["x-edge-auth-bookmark"] };
  const read = await me(service, late.access, { ...FAR, ...bookmark });
  assertSuccess(read, 200);
  assert.equal(read.body.full_name, "New");
  const again = await refresh(service, late.refresh, FAR);
  assertSuccess(await me(service, again.body.access_token, FAR), 200);
});

test("a replica that stands still shows what it has for two minutes, and is then left alone", async (t) => {
  const { service, access } = await started(t);
  await setWorld(service, { east: { isStill: true } });
  await logoutAll(service, access);
  await forgetCalls(service);
  // The session has ended; the replica does not know it yet.
  assertSuccess(await me(service, access, FAR), 200);
  assert.deepEqual(await places(service), ["east"]);
  assertEnvelope(await updateProfile(service, access, { full_name: "New" }, FAR), 401, "AUTH_TOKEN_REVOKED");
  await setWorld(service, { east: { isStill: false } });
  await age(service, 2 * MINUTE);
  await copy(service);
  await forgetCalls(service);
  assertEnvelope(await me(service, access, FAR), 401, "AUTH_TOKEN_REVOKED");
  assertEnvelope(await me(service, access, FAR), 401, "AUTH_TOKEN_REVOKED");
  assert.deepEqual(await places(service), ["east", "primary", "primary"]);
  const isStale = ({ message }) => message === "The replica is too far behind, the primary answers";
  await service.logged(isStale);
  assert.equal(service.logs(isStale).length, 1);
});

test("a bookmark that the service did not give reads the primary", async (t) => {
  const { service, access } = await started(t);
  const ahead = { "X-Edge-Auth-Bookmark": "ffffffff-ffffffff-00000000-00000000000000000000000000000000" };
  assertSuccess(await me(service, access, { ...FAR, ...ahead }), 200);
  assert.deepEqual(await places(service), ["primary"]);
});

test("a replica that stalls or fails costs one detour a minute", async (t) => {
  for (const state of ["stalled", "failing"]) {
    const { service, access } = await started(t);
    await setWorld(service, { east: { state } });
    for (const expected of [["east", "primary"], ["primary"], ["primary"]]) {
      assertSuccess(await me(service, access, FAR), 200);
      assert.deepEqual(await places(service), expected, state);
    }
  }
});

test("while the primary stalls, reads go on, and the heartbeat ends them", async (t) => {
  const { service, access } = await started(t, { D1_TIMEOUT_MS: "300" });
  await setWorld(service, { primary: { state: "stalled" }, object: "stalled" });
  assertEnvelope(await updateProfile(service, access, { full_name: "New" }, FAR), 503, "SERVICE_UNAVAILABLE");
  assertSuccess(await me(service, access, FAR), 200);
  assertSuccess(await asUser(service, access, "GET", "/auth/sessions", undefined, FAR), 200);
  await setWorld(service, { primary: { state: "ok" } });
  await age(service, 2 * MINUTE);
  await copy(service);
  await setWorld(service, { primary: { state: "stalled" } });
  assertEnvelope(await me(service, access, FAR), 503, "SERVICE_UNAVAILABLE");
});

test("without a heartbeat the primary answers, and the trigger of every minute writes one", async (t) => {
  const { service, access } = await started(t);
  await rows(service.db, "DELETE FROM heartbeat");
  assertSuccess(await me(service, access, FAR), 200);
  assert.deepEqual((await places(service)).slice(-2), ["east", "primary"]);
  await everyMinute(service);
  const [{ beat_at: at }] = await rows(service.db, "SELECT beat_at FROM heartbeat");
  assert.ok(Math.abs(at - Date.now()) < MINUTE);
});
