// The real database and the real circuit breaker's object, with faults in front of them that a test chooses while
// the service runs: `POST /__faults` with `{db: {kind, …}, breaker: {kind, …}, release: true}`, all optional;
// `skip` in `db` lets this many calls through first, `times` lets all through after this many failures. The answer has
// the counts so far. Each isolate has its own state.
import Service, { CircuitBreaker as Breaker } from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const faults = { db: { kind: "ok", times: Infinity }, breaker: { kind: "ok" } };
/**
 * Calls of the service, whatever their outcome, but for the events of commands to the breaker, which are written behind
 * the response and fail at once under any fault; the outcome of each call that flapped; starts of the object. Also the
 * longest answer of the real database, and of the object with its fault, in milliseconds, and the lateness of timers.
 */
const counted = { batches: 0, fetches: {}, flapped: {}, objectStarts: 0, slowest: { batch: 0, fetch: 0, timer: 0 } };
let held = [];

const never = () => new Promise(() => {});
const failing = (text) => () => Promise.reject(new Error(`D1_ERROR: ${text}`));
/** Not one of the errors that the service answers with a repetition. */
const lost = failing("D1 DB's isolate exceeded its memory limit and was reset.");
/** One of those. */
const transient = failing("Network connection lost.");

/** Waits for an operation that takes this many milliseconds anyway, and records the excess. */
async function timed(kind, wait, ms = 0) {
  const begun = Date.now();
  try {
    return await wait();
  } finally {
    counted.slowest[kind] = Math.max(counted.slowest[kind], Date.now() - begun - ms);
  }
}

const after = (ms) => timed("timer", () => new Promise((resolve) => setTimeout(resolve, ms)), ms);

/** `run` asks the real database. */
const DB = {
  ok: (run) => run(),
  /** Performs the call, and answers after this many milliseconds. */
  async slow(run, { ms }) {
    const answer = await run();
    await after(ms);
    return answer;
  },
  never,
  /** Fails before the write. */
  before: lost,
  /** Fails after the write. */
  after: (run) => run().then(lost),
  /** Fails after the write, in a way that the service may repeat. */
  transient: (run) => run().then(transient),
  overloaded: failing("D1 DB is overloaded. Requests queued for too long."),
  /** The client has disconnected. */
  disconnected: failing("Can't read from request stream because client disconnected."),
  /** A share of all calls fails at once. */
  rare(run, { probability, random }) {
    const way = random() < probability ? "before" : "ok";
    counted.flapped[way] = (counted.flapped[way] ?? 0) + 1;
    return DB[way](run);
  },
  /** Writes everything, and never answers. */
  silent: (run) => run().then(never),
  /** Performs the call, and answers with an invalid result. */
  async corrupt(run, { answer }) {
    const results = await run();
    return { nothing: undefined, "too few": results.slice(1), "no json": [{ results: [1n] }] }[answer];
  },
  /** Performs the call, and answers when the test allows it. */
  async held(run) {
    const answer = await run();
    const { promise, resolve } = Promise.withResolvers();
    held.push(resolve);
    await promise;
    return answer;
  },
  /** An error with a message that cannot cross into Rust, which a real one never has: the Wasm instance is lost. */
  panic: () => Promise.reject({ message: { get length() { throw new Error("unreadable answer"); } } }),
  /** A share of all calls fails, each way equally often. */
  flapping(run, { probability, random }) {
    const ways = ["before", "never", "after", "silent"];
    const way = random() < probability ? ways[Math.floor(random() * ways.length)] : "ok";
    counted.flapped[way] = (counted.flapped[way] ?? 0) + 1;
    return DB[way](run);
  },
};

/** `run` asks the real object. */
const BREAKER = {
  ok: DB.ok,
  slow: DB.slow,
  never,
  rejects: () => Promise.reject(new Error("Network connection lost.")),
  /** Answers, but not the question. */
  nonsense: async () => new Response("error code: 1101"),
  /** `getByName` throws, so this is never reached. */
  throws: never,
};

/** Mulberry32: numbers in [0, 1) that depend on the seed only. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function database(real) {
  const prepare = (sql) => real.prepare(sql);
  const batch = (statements) => {
    if (statements.some(({ params }) => params.includes("breaker_commanded"))) {
      return DB[faults.db.kind === "ok" ? "ok" : "before"](() => real.batch(statements));
    }
    const run = () => timed("batch", () => real.batch(statements));
    counted.batches += 1;
    if (faults.db.skip > 0) {
      faults.db.skip -= 1;
      return run();
    }
    if (faults.db.times === 0) {
      return run();
    }
    faults.db.times -= 1;
    return DB[faults.db.kind](run, faults.db);
  };
  return Object.create(real, { prepare: { value: prepare }, batch: { value: batch } });
}

function namespace(real) {
  const getByName = (name) => {
    if (faults.breaker.kind === "throws") {
      throw new Error("Network connection lost.");
    }
    const stub = real.getByName(name);
    const fetch = (url) => {
      const [question] = new URL(url).pathname.slice(1).split("/");
      counted.fetches[question] = (counted.fetches[question] ?? 0) + 1;
      return timed("fetch", () => BREAKER[faults.breaker.kind](() => stub.fetch(url), faults.breaker));
    };
    return Object.create(stub, { fetch: { value: fetch } });
  };
  return Object.create(real, { getByName: { value: getByName } });
}

async function control(request) {
  const { db, breaker, release } = request.method === "POST" ? await request.json() : {};
  if (db) {
    faults.db = { times: Infinity, ...db, random: generator(db.seed) };
  }
  faults.breaker = breaker ?? faults.breaker;
  if (release) {
    held.forEach((answer) => answer());
    held = [];
  }
  return Response.json(counted);
}

export class CircuitBreaker extends Breaker {
  constructor(state, env) {
    super(state, env);
    counted.objectStarts += 1;
  }
}

const faulty = (env) => ({ ...env, DB: database(env.DB), CIRCUIT_BREAKER: namespace(env.CIRCUIT_BREAKER) });

export default class extends Service {
  fetch(request) {
    if (new URL(request.url).pathname === "/__faults") {
      return control(request);
    }
    this.env = faulty(this.env);
    return super.fetch(request);
  }

  scheduled(controller) {
    this.env = faulty(this.env);
    return super.scheduled(controller);
  }
}
