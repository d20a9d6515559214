// A service in a world with distances: `startService({ isReplicated: true })` puts `wrappers/replicated-db.mjs` and
// `wrappers/world.mjs` in front of it. With the environment variable E2E_REPLICAS every service of the tests gets them
// (`E2E_REPLICAS=off`: they are there, but the service reads from the primary; `on`: it reads from replicas).
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { Database } from "./d1.mjs";
import { dump, rows } from "./database.mjs";

export const WRAPPERS = ["tests/e2e/wrappers/replicated-db.mjs", "tests/e2e/wrappers/world.mjs"];
const MODE = process.env.E2E_REPLICAS;
export const IS_REPLICATED = MODE !== undefined;
export const SETTINGS = MODE === "on" ? { READ_REPLICATION: "on" } : {};

/**
 * The options of a Worker with the bindings of the world. The object holds the log of writes in memory. The replicas are
 * new whenever a service starts, and then copy the primary.
 */
export function inWorld({ d1Databases, durableObjects, ...worker }) {
  const WORLD = { className: "World", useSQLite: true, unsafePreventEviction: true };
  return {
    ...worker,
    d1Databases: { ...d1Databases, DB_EAST: { id: randomUUID() }, DB_WEST: { id: randomUUID() } },
    durableObjects: { ...durableObjects, WORLD },
  };
}

/** The database of such a service: writes of the tests reach the replicas too. `at` names a replica. */
export function databaseOf({ origin }, at) {
  return new Database(new URL(`/__world/sql${at === undefined ? "" : `?at=${at}`}`, origin));
}

async function asked({ origin }, path, method, body) {
  const response = await fetch(new URL(path, origin), { method, body: body && JSON.stringify(body) });
  return response.json();
}

/**
 * Changes the world. All members are optional, and the others stay as they are:
 * `regions`: by name, the round trip in milliseconds to each place that the region reaches, as `{primary: 180, east: 8}`;
 * `primary`: `{state: "ok" | "failing" | "stalled" | "silent"}`; `east` and `west` the same with `lag` in milliseconds
 * and `isStill`; `object`: the way to the circuit breaker, "ok", "failing" or "stalled"; `ahead`: the fate of a bookmark
 * that the database has not reached, "wait", "error" or "accept".
 */
export const setWorld = (service, settings) => asked(service, "/__world", "POST", settings);

/** The calls since the last reset, in their order; with an `X-Request-ID`, those of one request. */
export const callsOf = (service, request) =>
  asked(service, `/__world/calls${request === undefined ? "" : `?request=${request}`}`, "GET");

export const forgetCalls = (service) => asked(service, "/__world/calls", "DELETE");

/** Each replica has the same rows as the primary, once it has repeated the whole log. */
export async function assertReplicated(service) {
  const expected = await dump(databaseOf(service));
  for (const name of ["east", "west"]) {
    assert.equal(await dump(databaseOf(service, name)), expected, name);
  }
}

/** Without a heartbeat no replica is used. This one lasts two minutes: later the primary answers. */
export async function beat(db) {
  const tables = await rows(db, "SELECT name FROM sqlite_master WHERE name = 'heartbeat'");
  for (const { name } of tables) {
    await rows(db, `INSERT OR REPLACE INTO ${name} (id, beat_at) VALUES (1, ?1)`, Date.now());
  }
}
