// The world behind `replicated-db.mjs`: a primary, two replicas, and the distances between them and the regions. It is
// one Durable Object, so that all isolates of a service share it, with their Cron Triggers. The object must not be
// evicted, because it holds the log. All writes pass through it, those of the tests too (`/__world/sql`).
//
// The primary is the real D1. The object keeps a log of the batches that wrote there, in the order of their commits. A
// replica is a further D1: before it reads, it repeats the part of the log that its lag lets through. Statements have
// no random values and no clock, so a repetition has the same effect. When the object starts, it copies the primary.
//
// A write takes the way to the primary, not the detour by the nearest replica that D1 may take.
import { DurableObject } from "cloudflare:workers";

// The Worker, and the other classes that wrangler.toml names.
export * from "./entry.js";
export { default } from "./entry.js";

/** The replicas by their names. Their bindings are in `support/world.mjs`. */
const REPLICAS = { east: "DB_EAST", west: "DB_WEST" };
/** A region that no test has described: everything is here. */
const HERE = { primary: 0, east: 0, west: 0 };
const MAX_CALLS = 20_000;
/** Statements of the log that a replica repeats in one batch. */
const MAX_REPEATED = 200;
const POLL_MS = 2;
const FIRST_PRIMARY = "first-primary";
const FIRST_UNCONSTRAINED = "first-unconstrained";

const sleep = (ms) => (ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : undefined);
const WRITE_BEHIND_WITH = /\b(INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b/i;

/** Whether a statement writes. One that is not recognised counts as a write. */
function isWrite({ sql }) {
  const [first] = sql.trimStart().split(/\s/, 1);
  return /^WITH$/i.test(first) ? WRITE_BEHIND_WITH.test(sql) : !/^(SELECT|EXPLAIN|PRAGMA)$/i.test(first);
}

/** Runs one task after another. */
function queue() {
  let last = Promise.resolve();
  return (run) => {
    const result = last.then(run);
    last = result.catch(() => {});
    return result;
  };
}

const run = (db, statements) => db.batch(statements.map(({ sql, params }) => db.prepare(sql).bind(...params)));

class Primary {
  #inTurn = queue();
  /** The batches that wrote: their statements, and the times of their commits. */
  log = [];
  settings = { state: "ok" };

  constructor(db) {
    this.db = db;
  }

  /** The results, and the number of batches that they have seen. */
  answer(_, statements) {
    return this.#inTurn(async () => {
      const results = await run(this.db, statements);
      const writes = statements.filter(isWrite);
      if (writes.length > 0) {
        this.log.push({ statements: writes, at: Date.now() });
      }
      return { results, version: this.log.length };
    });
  }
}

class Replica {
  #inTurn = queue();
  #applied = 0;
  /** `lag` in milliseconds; one that stands still does not repeat anything. */
  settings = { state: "ok", lag: 0, isStill: false };

  constructor(db, primary) {
    Object.assign(this, { db, primary });
  }

  /** The version that it may have by now. It never goes back when the lag grows. */
  #due() {
    const { lag, isStill } = this.settings;
    const isLate = ({ at }) => at + lag > Date.now();
    const rest = isStill ? 0 : this.primary.log.slice(this.#applied).findIndex(isLate);
    return rest < 0 ? this.primary.log.length : this.#applied + rest;
  }

  /** Waits until it is at least as new as a version, and reads. */
  async answer(version, statements) {
    for (;;) {
      const answer = this.#due() >= version ? await this.#inTurn(() => this.#read(version, statements)) : undefined;
      if (answer !== undefined) {
        return answer;
      }
      await sleep(POLL_MS);
    }
  }

  async #read(version, statements) {
    for (let due = this.#due(); this.#applied < due; ) {
      const part = this.primary.log.slice(this.#applied, Math.min(due, this.#applied + MAX_REPEATED));
      await run(this.db, part.flatMap((batch) => batch.statements));
      this.#applied += part.length;
    }
    return this.#applied < version ? undefined : { results: await run(this.db, statements), version: this.#applied };
  }

  /** Begins with the present contents of the primary. */
  async copy() {
    const { db } = this.primary;
    const given = await contents(db);
    const [tables, others] = [true, false].map((isTable) => given.filter(({ type }) => (type === "table") === isTable));
    const rows = await Promise.all(tables.map(({ name }) => inserts(db, name)));
    const made = (things) => things.map(({ sql }) => ({ sql, params: [] }));
    const defer = { sql: "PRAGMA defer_foreign_keys = ON", params: [] };
    await run(this.db, [defer, ...made(tables), ...rows.flat(), ...(await sequence(db)), ...made(others)]);
  }
}

/** Tables, and then indexes, views and triggers. */
async function contents(db) {
  const sql = `
    SELECT type, name, sql FROM sqlite_master
    WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_cf_*'
    ORDER BY type <> 'table', rowid`;
  return (await db.prepare(sql).all()).results;
}

/** The statements that insert the rows of a table. There are no BLOBs, and no integer above 53 bits. */
async function inserts(db, table) {
  const { results } = await db.prepare(`SELECT * FROM "${table}"`).all();
  const columns = Object.keys(results[0] ?? {});
  const values = columns.map((_, index) => `json_extract(value, '$[${index}]')`);
  const sql = `INSERT INTO "${table}" ("${columns.join('", "')}") SELECT ${values} FROM json_each(?1)`;
  const parts = Array.from({ length: Math.ceil(results.length / 500) }, (_, index) => results.slice(index * 500, (index + 1) * 500));
  return parts.map((part) => ({ sql, params: [JSON.stringify(part.map((row) => columns.map((column) => row[column])))] }));
}

/** The next ids of the tables that never use one again. */
async function sequence(db) {
  const { results } = await db.prepare("SELECT name FROM sqlite_master WHERE name = 'sqlite_sequence'").all();
  return results.length === 0 ? [] : [{ sql: "DELETE FROM sqlite_sequence", params: [] }, ...(await inserts(db, "sqlite_sequence"))];
}

export class World extends DurableObject {
  #places;
  #regions = {};
  /** The way to the circuit breaker, which lives beside the primary: "ok", "failing" or "stalled". */
  #object = "ok";
  /** A bookmark that the database has not reached: "wait" for it, which may be for ever, "error", or "accept" it. */
  #ahead = "wait";
  #calls = [];
  #generation;
  #isCopied;

  constructor(state, env) {
    super(state, env);
    const primary = new Primary(env.DB);
    const replicas = Object.entries(REPLICAS).map(([name, binding]) => [name, new Replica(env[binding], primary)]);
    this.#places = { primary, ...Object.fromEntries(replicas) };
    // Bookmarks of an earlier run name versions that this log does not have; the copy of its start has them all.
    this.#generation = (state.storage.kv.get("generation") ?? 0) + 1;
    state.storage.kv.put("generation", this.#generation);
  }

  /** One call of a Worker: `{results, bookmark}`, `{error}`, or `isLost` if it never gets an answer. */
  async batch({ region, request, isBehind, session, statements }) {
    const distances = this.#regions[region] ?? HERE;
    const isFar = session === null || session === FIRST_PRIMARY || statements.some(isWrite);
    const name = isFar ? "primary" : nearest(distances);
    const kind = statements.some(isWrite) ? "write" : "read";
    const call = { request, region, place: name, kind, session, isBehind, statements: statements.map(({ sql }) => sql) };
    const { state } = this.#places[name].settings;
    return this.#travelled(call, distances[name], state, async () => {
      const { results, version } = await this.#answer(name, this.#versionOf(session), statements);
      return { results: results.map((result) => served(result, name)), bookmark: this.#bookmarkOf(version) };
    });
  }

  /** The way to the circuit breaker: `{half}` in milliseconds for the way back, `{error}` or `{isLost}`. */
  async reach({ region, request, isBehind }, question) {
    const distance = (this.#regions[region] ?? HERE).primary;
    const call = { request, region, place: "object", kind: question, isBehind, statements: [] };
    return this.#travelled(call, distance / 2, this.#object, () => ({ half: distance / 2 }));
  }

  async #travelled(call, distance, state, act) {
    if (this.#calls.push(call) > MAX_CALLS) {
      this.#calls.shift();
    }
    const begun = performance.now();
    if (state === "stalled") {
      return { isLost: true };
    }
    await sleep(distance / 2);
    try {
      const answer = state === "failing" ? { error: "D1_ERROR: Network connection lost." } : await act();
      // It wrote, but the answer does not come.
      return state === "silent" ? { isLost: true } : answer;
    } catch ({ message }) {
      return { error: message };
    } finally {
      await sleep(distance / 2);
      call.ms = performance.now() - begun;
    }
  }

  async #answer(name, version, statements) {
    const { primary, ...replicas } = this.#places;
    this.#isCopied ??= Promise.all(Object.values(replicas).map((replica) => replica.copy()));
    await this.#isCopied;
    const newest = primary.log.length;
    if (version > newest && this.#ahead === "error") {
      throw new Error("D1_ERROR: The bookmark is ahead of the database.");
    }
    return this.#places[name].answer(this.#ahead === "accept" ? Math.min(version, newest) : version, statements);
  }

  /** As long as D1's. The texts sort as the versions do. */
  #bookmarkOf(version) {
    const [generation, number] = [this.#generation, version].map((part) => part.toString(16).padStart(8, "0"));
    return `${generation}-${number}-00004c6d-8e61117bf38d7adb71b934ebbf891683`;
  }

  /** The least version that a session may see. */
  #versionOf(session) {
    if ([null, FIRST_PRIMARY, FIRST_UNCONSTRAINED].includes(session)) {
      return 0;
    }
    const [, generation, number] = /^([0-9a-f]{8})-([0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{32}$/.exec(session) ?? [];
    if (generation === undefined) {
      throw new Error("D1_ERROR: The bookmark is invalid.");
    }
    const ahead = parseInt(generation, 16) - this.#generation;
    return ahead < 0 ? 0 : ahead > 0 ? Infinity : parseInt(number, 16);
  }

  /** The tests' own way: settings, the calls so far, and SQL at the primary or, with `?at=east`, at a replica. */
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const path = `${request.method} ${pathname}`;
    if (path === "POST /__world") {
      this.#set(await request.json());
      return Response.json({});
    }
    if (path === "GET /__world/calls") {
      const request = searchParams.get("request");
      return Response.json(request === null ? this.#calls : this.#calls.filter((call) => call.request === request));
    }
    if (path === "DELETE /__world/calls") {
      this.#calls = [];
      return Response.json({});
    }
    try {
      const statements = (await request.json()).map(({ sql, values }) => ({ sql, params: values }));
      return Response.json(await this.#answer(searchParams.get("at") ?? "primary", 0, statements));
    } catch ({ message }) {
      return Response.json({ message });
    }
  }

  #set({ regions, object = this.#object, ahead = this.#ahead, ...places }) {
    this.#regions = regions ?? this.#regions;
    this.#object = object;
    this.#ahead = ahead;
    for (const [name, settings] of Object.entries(places)) {
      Object.assign(this.#places[name].settings, settings);
    }
  }
}

/** The nearest of the places that a region reaches; of two that are equally near, a replica. */
function nearest(distances) {
  const [[name]] = Object.entries(distances).sort(([one, near], [, far]) => near - far || (one === "primary" ? 1 : -1));
  return name;
}

function served(result, name) {
  return { ...result, meta: { ...result.meta, served_by_primary: name === "primary", served_by_region: name } };
}
