// The package of a release: a deployment from it uploads the very bytes that were built and tested, and needs neither the
// source code nor a build. Nothing here leaves this machine: wrangler runs with `--dry-run`.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { stateFolder } from "../e2e/support/start.mjs";
import { assertDone, environment, ROOT, run } from "./support/make.mjs";

const hash = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");
/** The modules that wrangler would upload: the entry, the Wasm, and the filter of common passwords. */
const modules = (folder) => {
  const names = readdirSync(folder).filter((name) => /^entry\.js$|\.(wasm|bin)$/.test(name));
  return Object.fromEntries(names.sort().map((name) => [name, hash(join(folder, name))]));
};
const packed = async (t) => {
  const folder = join(stateFolder(t), "release");
  assertDone(await run(process.execPath, [join(ROOT, "scripts/package.mjs"), folder]));
  return folder;
};

test("a deployment of the package uploads what was built, without building", async (t) => {
  const folder = await packed(t);
  const upload = join(stateFolder(t), "upload");
  const args = ["deploy", "--dry-run", "--env", "production", "--outdir", upload];
  const env = environment(folder, { PATH: `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}` });
  const { code, stdout, stderr } = await run("wrangler", args, { cwd: folder, env });
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /env\.DB \(edge-auth-production\)/);
  assert.equal(Object.keys(modules(upload)).length, 3);
  assert.deepEqual(modules(upload), modules(join(ROOT, "dist")));
});

test("the package has no source code, no secret and no build command", async (t) => {
  const folder = await packed(t);
  const expected = ["migrations", "package-lock.json", "package.json", "public", "scripts", "worker", "wrangler.json"];
  assert.deepEqual(readdirSync(folder).sort(), expected);
  assert.deepEqual(readdirSync(join(folder, "scripts")).sort(), ["release.mjs", "smoke.mjs"]);
  const config = JSON.parse(readFileSync(join(folder, "wrangler.json"), "utf8"));
  assert.deepEqual([config.build, config.main, config.no_bundle], [undefined, "worker/entry.js", true]);
  assert.ok(existsSync(join(folder, config.main)));
});

test("production has one address, and every environment a limit of CPU and all the bindings", async (t) => {
  const { env, ...top } = JSON.parse(readFileSync(join(await packed(t), "wrangler.json"), "utf8"));
  const bindings = ({ d1_databases, durable_objects, ratelimits }) =>
    [...d1_databases, ...durable_objects.bindings, ...ratelimits].map(({ binding, name }) => binding ?? name).sort();
  assert.deepEqual([env.production.workers_dev, env.production.preview_urls], [false, false]);
  for (const [name, settings] of Object.entries(env)) {
    assert.deepEqual(bindings(settings), bindings(top), `bindings are not inherited: ${name}`);
    // A hash of 10,000,000 rounds must still be verified: 5.3 s at 0.32 s for 600,000.
    assert.ok(settings.limits.cpu_ms >= 6000 && settings.limits.cpu_ms < 30_000, name);
  }
  const namespaces = [top, ...Object.values(env)].flatMap(({ ratelimits }) => ratelimits.map((limit) => limit.namespace_id));
  assert.equal(new Set(namespaces).size, namespaces.length, "limiters with one number share their counts");
});

test("the Worker contains no code of an npm package", () => {
  const { sources } = JSON.parse(readFileSync(join(ROOT, "dist/entry.js.map"), "utf8"));
  assert.ok(sources.length >= 3, String(sources));
  assert.deepEqual(sources.filter((path) => path.includes("node_modules")), []);
  const imports = readFileSync(join(ROOT, "dist/entry.js"), "utf8").matchAll(/\bfrom\s*"([^"]+)"|\bimport\s*"([^"]+)"/g);
  const names = [...imports].map(([, from, plain]) => from ?? plain);
  assert.ok(names.length >= 2, String(names));
  assert.deepEqual(names.filter((name) => !/^cloudflare:|^\.\/[0-9a-f]+-(index_bg\.wasm|common_passwords\.bin)$/.test(name)), []);
});

test("the npm packages that reach production are the pages and the tool that deploys", () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.deepEqual(Object.keys(dependencies).sort(), ["lit-html", "redoc", "swagger-ui-dist", "wrangler"]);
});
