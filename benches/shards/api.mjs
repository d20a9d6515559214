// `make test-shards`: the API tests, natively, on a Durable Object instead of rusqlite. Starts workerd with the objects and
// runs `cargo test --test api` with its address. Arguments go to the tests.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { esModule, PLACE } from "../support/targets.mjs";
import { migrations } from "./migrations.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const NAME = "slices";

function modules() {
  const read = (name) => esModule(join(import.meta.dirname, name.replace(".mjs", ".js")), readFileSync(join(import.meta.dirname, name), "utf8"));
  return ["server.mjs", "slice.mjs"].map(read);
}

const state = mkdtempSync(join(PLACE, "edge-auth-slices-"));
process.once("exit", () => rmSync(state, { recursive: true, force: true }));
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    log: new Log(LogLevel.ERROR),
    resourcePersistencePath: state,
    cf: false,
    workers: [
      {
        name: NAME,
        compatibilityDate: "2026-11-01",
        modulesRoot: import.meta.dirname,
        modules: modules(),
        bindings: { MIGRATIONS: migrations() },
        durableObjects: { SLICE: { className: "Slice", useSQLite: true } },
        unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      },
    ],
  }),
);
await miniflare.ready;
const { host } = await miniflare.unsafeGetDirectURL(NAME);
const [command, ...args] = process.argv.length > 2 ? process.argv.slice(2) : ["cargo", "test", "--test", "api"];
const child = spawn(command, args, { cwd: ROOT, stdio: "inherit", env: { ...process.env, SLICES: host } });
child.once("close", async (code) => {
  await miniflare.dispose();
  process.exit(code ?? 1);
});
