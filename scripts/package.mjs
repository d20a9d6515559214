// Packs a release: everything that a deployment needs, built once, so that the machine with production's token compiles
// nothing and has no source code. Usage: node scripts/package.mjs FOLDER, after `make build` and a bundle in `dist`.
//
// The folder holds the bundled Worker, the static files, the migrations, wrangler's configuration without its build
// command, the lock file from which wrangler is installed, and the scripts that deploy and test.
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { experimental_readRawConfig as readConfig } from "wrangler";

const folder = process.argv[2];
if (!folder) {
  console.error("usage: node scripts/package.mjs FOLDER");
  process.exit(2);
}

const COPIED = ["public", "migrations", "package.json", "package-lock.json", "scripts/release.mjs", "scripts/smoke.mjs"];
const isWorker = (name) => name === "entry.js" || [".wasm", ".bin"].some((ending) => name.endsWith(ending));

rmSync(folder, { recursive: true, force: true });
mkdirSync(join(folder, "worker"), { recursive: true });
for (const name of readdirSync("dist").filter(isWorker)) {
  cpSync(join("dist", name), join(folder, "worker", name));
}
for (const name of COPIED) {
  cpSync(name, join(folder, name), { recursive: true });
}

// The bundle is finished: wrangler uploads it as it is. It looks for further modules in the Worker's own folder only, and
// so not in `node_modules`.
const { build, minify, keep_names, ...config } = readConfig({ config: "wrangler.toml" }).rawConfig;
const packed = { ...config, main: "worker/entry.js", no_bundle: true };
writeFileSync(join(folder, "wrangler.json"), `${JSON.stringify(packed, null, 2)}\n`);
