// `make test-shards`: the API tests, natively, on a Durable Object instead of rusqlite. Starts workerd with the objects and
// runs `cargo test --test api` with its address, or another command. Then counts the statements and batches that the tests
// have sent by the place that each would have (`places.mjs`).
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { save } from "../support/results.mjs";
import { esModule, PLACE } from "../support/targets.mjs";
import { migrations } from "./migrations.mjs";
import { places } from "./places.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const NAME = "slices";

function modules() {
  return ["server", "slice"].map((name) => {
    const source = readFileSync(join(import.meta.dirname, `${name}.mjs`), "utf8");
    return esModule(join(import.meta.dirname, `${name}.js`), source);
  });
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
  const batches = await (await fetch(`http://${host}/`)).json();
  const counted = places(batches);
  console.log(`Places: ${JSON.stringify(counted)}; ${save("shards-batches.json", { ...counted, batches_sent: batches })}`);
  await miniflare.dispose();
  process.exit(code ?? 1);
});
