// Starts the service as it would be deployed: the bundle that `wrangler deploy` would upload, on workerd,
// with a local D1 of its own, fresh unless a folder is given. Bindings come from wrangler.toml.
import { EventEmitter, once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";

import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions, unstable_splitSqlQuery } from "wrangler";

import { Database, databaseWorker, NAME as DATABASE } from "./d1.mjs";
import { assertReplicated, beat, databaseOf, inWorld, IS_REPLICATED, SETTINGS as OF_WORLD, WRAPPERS as WORLD } from "./world.mjs";

const ROOT = resolve(import.meta.dirname, "../../..");
const DIST = join(ROOT, "dist");
/** The name of the first Worker; Durable Objects are found under it. */
export const NAME = "edge-auth";

export const SECRET_KEY = "e2e-5f2b8c91d3e64a7fb0c1d2e3f4a5b6c7";
/** Fast enough for tests; the cost of the real number is measured, not tested. */
export const TEST_SETTINGS = {
  SECRET_KEY,
  PASSWORD_ITERATIONS: "1000",
  // All tests come from one address; the tests of the limits switch them on.
  RATE_LIMITING: "off",
  // A slow machine must not look like a silent D1; tests that wait for one in vain set their own timeout.
  D1_TIMEOUT_MS: "60000",
};

const MODULE_TYPES = { ".js": "ESModule", ".wasm": "CompiledWasm", ".bin": "Data" };

/** The modules of the bundle; `wrappers` name modules of the tests, each of which stands in front of the next one. */
function modules(wrappers) {
  const files = readdirSync(DIST).filter((name) => extname(name) in MODULE_TYPES);
  const bundle = files.map((name) => ({
    type: MODULE_TYPES[extname(name)],
    path: join(DIST, name),
    contents: readFileSync(join(DIST, name)),
  }));
  const main = bundle.find((module) => module.path.endsWith("entry.js"));
  const others = bundle.filter((module) => module !== main);
  const nameOf = (index) => (index < wrappers.length ? `wrapper-${index}.js` : "entry.js");
  const fronts = wrappers.map((wrapper, index) => {
    const contents = readFileSync(resolve(ROOT, wrapper), "utf8").replaceAll('"./entry.js"', `"./${nameOf(index + 1)}"`);
    return { type: "ESModule", path: join(DIST, nameOf(index)), contents };
  });
  return [...fronts, main, ...others];
}

/**
 * @param {object} options
 * @param {Record<string, string>} [options.settings] on top of TEST_SETTINGS; `undefined` removes one
 * @param {string} [options.state] folder of D1's data, to outlive the service
 * @param {string|string[]} [options.wrapper] modules of the tests to put in front of the Worker, the first one foremost
 * @param {string[]} [options.without] rate limiters that the deployment lacks
 * @param {boolean} [options.migrate] apply the migrations (default: yes)
 * @param {boolean} [options.isReplicated] in a world with replicas and distances (`world.mjs`)
 * @param {number} [options.isolates] the number of isolates that share one database and one circuit breaker
 * @param {object[]} [options.workers] further Workers beside the service
 */
export async function startService(options = {}) {
  const { settings = {}, state, wrapper, without = [], migrate = true, port = 0, isolates = 1, workers = [] } = options;
  const { isReplicated = IS_REPLICATED } = options;
  const folder = state ?? mkdtempSync(join(tmpdir(), "edge-auth-e2e-"));
  const { workerOptions } = unstable_getMiniflareWorkerOptions(join(ROOT, "wrangler.toml"));
  const bindings = Object.fromEntries(
    Object.entries({ ...TEST_SETTINGS, ...OF_WORLD, ...settings }).filter(([, value]) => value !== undefined),
  );
  const ratelimits = Object.fromEntries(
    Object.entries(workerOptions.ratelimits).filter(([name]) => !without.includes(name)),
  );
  const code = { modulesRoot: DIST, modules: modules([isReplicated ? WORLD : [], wrapper || []].flat()) };
  const alone = { ...workerOptions, ratelimits, name: NAME, ...code, bindings };
  const worker = isReplicated ? inWorld(alone) : alone;
  const lines = [];
  const arrivals = new EventEmitter();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      port,
      host: "127.0.0.1",
      log: new Log(LogLevel.ERROR),
      resourcePersistencePath: folder,
      cf: false,
      logRequests: false,
      handleStructuredLogs: ({ message }) => {
        lines.push({ text: message, json: parsed(message) });
        arrivals.emit("line");
      },
      workers: [
        worker,
        ...Array.from({ length: isolates - 1 }, (_, index) => further(worker, index + 2)),
        databaseWorker(worker),
        ...workers,
      ],
    }),
  );
  const url = await miniflare.ready;
  const db = isReplicated ? databaseOf(url) : new Database(await miniflare.unsafeGetDirectURL(DATABASE));
  if (migrate) {
    await applyMigrations(db);
    await (IS_REPLICATED && beat(db));
  }
  let stopped;
  const stop = async () => {
    try {
      await (IS_REPLICATED && assertReplicated(url));
    } finally {
      await miniflare.dispose();
      if (!state) {
        rmSync(folder, { recursive: true, force: true });
      }
    }
  };
  const service = {
    origin: url.origin,
    db,
    folder,
    miniflare,
    /** The lines that the service logged, as text. */
    logLines: () => lines.map(({ text }) => text),
    /** The JSON lines that match a filter, parsed. */
    logs: (filter = () => true) => lines.map(({ json }) => json).filter((line) => line && filter(line)),
    /** Waits for `count` JSON lines that match a filter. */
    async logged(filter, count = 1) {
      while (this.logs(filter).length < count) {
        await once(arrivals, "line");
      }
    },
    /** May be called more than once. */
    stop: () => (stopped ??= stop()),
  };
  // Each isolate has its own address; they share the logs.
  const origins = Array.from({ length: isolates - 1 }, async (_, index) => {
    return (await miniflare.unsafeGetDirectURL(`${NAME}-${index + 2}`)).origin;
  });
  service.isolates = [service, ...(await Promise.all(origins)).map((origin) => ({ ...service, origin }))];
  return service;
}

/** The same Worker once more, at an address of its own: its Durable Objects are those of the first. */
function further(worker, number) {
  const objects = Object.entries(worker.durableObjects).map(([binding, object]) => {
    return [binding, { ...object, scriptName: NAME }];
  });
  const unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
  return { ...worker, name: `${NAME}-${number}`, durableObjects: Object.fromEntries(objects), unsafeDirectSockets };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The migrations of the project, each once, recorded as `wrangler d1 migrations apply` records them. */
export async function applyMigrations(db) {
  await db.prepare("CREATE TABLE IF NOT EXISTS d1_migrations (name TEXT PRIMARY KEY)").run();
  const { results } = await db.prepare("SELECT name FROM d1_migrations").all();
  const done = new Set(results.map((row) => row.name));
  const folder = join(ROOT, "migrations");
  for (const name of readdirSync(folder).sort().filter((name) => !done.has(name))) {
    const statements = unstable_splitSqlQuery(readFileSync(join(folder, name), "utf8"));
    const record = db.prepare("INSERT INTO d1_migrations (name) VALUES (?1)").bind(name);
    await db.batch([...statements.map((statement) => db.prepare(statement)), record]);
  }
}
