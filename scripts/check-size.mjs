// Fails if the deployed Wasm exceeds its budget, because a larger module starts more slowly in every isolate.
// Usage: node scripts/check-size.mjs BYTES_OF_GZIP
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const budget = Number(process.argv[2]);
const name = readdirSync("dist").find((file) => file.endsWith(".wasm"));
const wasm = readFileSync(`dist/${name}`);
const gzip = gzipSync(wasm, { level: 9 }).length;
console.log(`Wasm: ${wasm.length} bytes, ${gzip} with gzip -9, budget ${budget}`);
if (!(gzip <= budget)) {
  console.error(`The Wasm is ${gzip - budget} bytes over its budget.`);
  process.exit(1);
}
