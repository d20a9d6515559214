// The database as D1 shows it with read replication: a primary, and replicas that lag behind it. `world.mjs`, which
// must stand behind this wrapper, has the databases and the distances; `support/world.mjs` starts and controls both.
//
// A request says its region (`X-World-Region`); without one, everything is near. The circuit breaker's object lives
// beside the primary. Wrappers of faults stand behind these two, so that they see their sessions.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const REGION = "X-World-Region";
const FIRST_PRIMARY = "first-primary";
const FIRST_UNCONSTRAINED = "first-unconstrained";

/** The world's answer; a lost call never gets one. */
async function received(answer) {
  const { error, isLost, ...rest } = await answer;
  if (isLost) {
    await new Promise(() => {});
  }
  if (error !== undefined) {
    throw new Error(error);
  }
  return rest;
}

/** D1's interface. `caller` says where the calls come from. */
function database(world, caller) {
  /** `session` is a bookmark or a constraint as D1's client sends it, or null for the primary alone. */
  const opened = (session) => {
    const getBookmark = () => ([FIRST_PRIMARY, FIRST_UNCONSTRAINED].includes(session) ? null : session);
    const batch = async (prepared) => {
      const statements = prepared.map(({ statement, params }) => ({ sql: statement, params }));
      const { results, bookmark } = await received(world().batch({ ...caller, session, statements }));
      const known = getBookmark();
      if (session !== null && (known === null || known < bookmark)) {
        session = bookmark;
      }
      return results;
    };
    const prepare = (statement, params = []) => {
      const one = { statement, params, bind: (...values) => prepare(statement, values) };
      one.run = one.all = async () => (await batch([one]))[0];
      return one;
    };
    return { prepare: (sql) => prepare(sql), batch, getBookmark };
  };
  const { prepare, batch } = opened(null);
  return { prepare, batch, withSession: (given) => opened(given?.trim() || FIRST_UNCONSTRAINED) };
}

/** The way to the circuit breaker, there and back. */
function namespace(real, world, caller) {
  const getByName = (name) => {
    const fetch = async (url) => {
      const [question] = new URL(url).pathname.slice(1).split("/");
      const { half } = await received(world().reach(caller, question));
      const answer = await real.getByName(name).fetch(url);
      await new Promise((resolve) => setTimeout(resolve, half));
      return answer;
    };
    return { fetch };
  };
  return { getByName };
}

/** The environment of the Worker: without the bindings of the world. */
function environment({ WORLD, DB_EAST, DB_WEST, ...env }, caller) {
  const world = () => WORLD.getByName("world");
  return { ...env, DB: database(world, caller), CIRCUIT_BREAKER: namespace(env.CIRCUIT_BREAKER, world, caller) };
}

export default class extends Service {
  async fetch(request) {
    if (new URL(request.url).pathname.startsWith("/__world")) {
      return this.env.WORLD.getByName("world").fetch(request);
    }
    const region = request.headers.get(REGION);
    const caller = { region, request: request.headers.get("X-Request-ID"), isBehind: false };
    this.env = environment(this.env, caller);
    const response = await super.fetch(region === null ? request : without(request, REGION));
    caller.isBehind = true;
    return response;
  }

  scheduled(controller) {
    this.env = environment(this.env, { region: null, request: null, isBehind: true });
    return super.scheduled(controller);
  }
}

function without(request, name) {
  const headers = new Headers(request.headers);
  headers.delete(name);
  return new Request(request, { headers });
}
