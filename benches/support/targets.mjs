// Starts the Worker as it would be deployed, the floor and the plain service: each on its own workerd with its own fresh
// D1. No part of Miniflare is between the socket and the Worker: no proxy, no entry Worker, no router of static files.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";

import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";

import { applyMigrations, SECRET_KEY } from "../../tests/e2e/support/service.mjs";
import { statementsModule } from "./statements.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const NAME = "edge-auth";
const WORKERD = createRequire(createRequire(import.meta.url).resolve("miniflare"))("workerd").default;

/**
 * In memory, if there is such a folder, because the time of a commit to disk varies and does not depend on the Worker.
 */
export const PLACE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** All other settings are those of wrangler.toml or the defaults: a password hash costs 600,000 rounds. */
const SETTINGS = { SECRET_KEY, RATE_LIMITING: "off" };

export const esModule = (path, contents) => ({ type: "ESModule", path, contents });

/** The bundle that `wrangler deploy` would upload; `wrapper` is the path of a module that wraps it. */
export function productModules(wrapper) {
  const folder = join(ROOT, "dist");
  const isModule = (name) => name === "entry.js" || name.endsWith(".wasm") || name.endsWith(".bin");
  const bundle = readdirSync(folder).filter(isModule).map((name) => {
    const type = { ".js": "ESModule", ".wasm": "CompiledWasm", ".bin": "Data" }[extname(name)];
    return { type, path: join(folder, name), contents: readFileSync(join(folder, name)) };
  });
  const [main, ...others] = bundle.sort((one) => (one.path.endsWith("entry.js") ? -1 : 1));
  return inFront(wrapper, folder, [main, ...others]);
}

/** The further modules of the Workers that replay statements. */
const PARTS = { "floor-worker.mjs": [], "plain-worker.mjs": ["plain-tokens.mjs", "plain-input.mjs"] };

/**
 * The modules of a Worker of this folder that replays the statements of a recording (`recording.mjs`) of the product:
 * the floor, or the plain service.
 */
export function replayModules(name, recording, wrapper) {
  const folder = import.meta.dirname;
  const read = (part) => readFileSync(join(folder, part), "utf8");
  const parts = PARTS[name].map((part) => esModule(join(folder, part.replace(".mjs", ".js")), read(part)));
  const statements = esModule(join(folder, "statements.js"), statementsModule(recording));
  return inFront(wrapper, folder, [esModule(join(folder, "entry.js"), read(name)), statements, ...parts]);
}

function inFront(wrapper, folder, modules) {
  if (wrapper === undefined) {
    return modules;
  }
  return [esModule(join(folder, "wrapper.js"), readFileSync(join(ROOT, wrapper), "utf8")), ...modules];
}

/** The modules of the bundle behind `sharded.mjs`, and the classes of its Durable Objects. */
export function shardedModules() {
  const [main, ...others] = productModules("benches/shards/sharded.mjs");
  const parts = ["binding", "directory", "slice"].map((name) => {
    return esModule(join(ROOT, "dist", `${name}.js`), readFileSync(join(ROOT, `benches/shards/${name}.mjs`), "utf8"));
  });
  return [main, ...others, ...parts];
}

/**
 * @param {object[]} modules
 * @param {object} [options]
 * @param {Record<string, string>} [options.settings] in addition to SETTINGS
 * @param {string} [options.state] folder of D1's data, which outlives the target
 * @param {boolean} [options.migrate] apply the migrations (default: yes)
 * @param {boolean} [options.archive] with the bucket of the audit archive (default: no)
 * @param {(worker: object, r2Buckets: object) => object} [options.beside] makes a further Worker from the options of this one
 * @param {Record<string, object>} [options.objects] further Durable Objects
 * @returns {Promise<{origin: string, pid: number, startedAfterMs: number, database: () => Promise<object>,
 *   stop: () => Promise<void>, logFile: string}>} `pid` of its workerd
 */
export async function startTarget(modules, { settings = {}, state, migrate = true, archive = false, beside, objects = {} } = {}) {
  const folder = mkdtempSync(join(PLACE, "edge-auth-bench-"));
  const { assets, r2Buckets, ...workerOptions } = unstable_getMiniflareWorkerOptions(
    join(ROOT, "wrangler.toml"),
  ).workerOptions;
  const pidFile = join(folder, "pid");
  Object.assign(process.env, {
    MINIFLARE_WORKERD_PATH: join(import.meta.dirname, "workerd-to-file.sh"),
    WORKERD,
    WORKERD_LOG_FILE: join(folder, "log"),
    WORKERD_PID_FILE: pidFile,
  });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      log: new Log(LogLevel.ERROR),
      resourcePersistencePath: state ?? join(folder, "state"),
      cf: false,
      logRequests: false,
      workers: [
        {
          ...workerOptions,
          ...(archive && { r2Buckets }),
          durableObjects: { ...workerOptions.durableObjects, ...objects },
          name: NAME,
          modulesRoot: join(modules[0].path, ".."),
          modules,
          bindings: { ...SETTINGS, ...settings },
          // The Worker requires this binding, but no measured operation uses it.
          serviceBindings: { [assets.binding]: () => new Response(null, { status: 404 }) },
          unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
        },
        ...(beside ? [beside(workerOptions, r2Buckets)] : []),
      ],
    }),
  );
  await miniflare.ready;
  const startedAfterMs = Date.now() - statSync(pidFile).mtimeMs;
  const { origin } = await miniflare.unsafeGetDirectURL(NAME);
  // `getD1Database` sends a request to this workerd, so it must not be called before the first measured one.
  const database = () => miniflare.getD1Database("DB");
  if (migrate) {
    await applyMigrations(await database());
  }
  const clear = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", clear);
  const stop = async () => {
    await miniflare.dispose();
    process.off("exit", clear);
    clear();
  };
  const pid = Number(readFileSync(pidFile, "utf8"));
  return { origin, pid, startedAfterMs, database, stop, miniflare, logFile: join(folder, "log") };
}
