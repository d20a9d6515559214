// Fails if the deployed Wasm exceeds its budget, because a larger module starts more slowly in every isolate. The file of
// common passwords beside it is only read, never compiled.
// Usage: node scripts/check-size.mjs BYTES_OF_GZIP
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const budget = Number(process.argv[2]);
const sizes = readdirSync("dist").filter((name) => /^entry\.js$|\.(wasm|bin)$/.test(name)).map((name) => {
  const module = readFileSync(`dist/${name}`);
  const gzip = gzipSync(module, { level: 9 }).length;
  console.log(`${name}: ${module.length} bytes, ${gzip} with gzip -9`);
  return { name, gzip };
});
const { gzip } = sizes.find(({ name }) => name.endsWith(".wasm"));
if (!(gzip <= budget)) {
  console.error(`The Wasm is ${gzip - budget} bytes over its budget of ${budget}.`);
  process.exit(1);
}
