// `make bench-hashing`: the cost of one password hash, in the service and in other implementations. Writes
// dist/bench-hashing.json.
//
// Each round measures every candidate once, in turn, so that other load on the machine affects all of them. The numbers
// are medians of the rounds. The clock of a Worker does not advance while it computes, so the benchmark measures the
// processor time of its process from outside. All candidates must give the same key.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { pbkdf2Sync } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { cpuSeconds } from "./support/cpu.mjs";
import { drive } from "./support/load.mjs";
import { circumstances, inWords } from "./support/machine.mjs";
import { newWorld, OPERATIONS } from "./support/operations.mjs";
import { fill, hashOf, PASSWORD, PRODUCT_TOKENS } from "./support/people.mjs";
import { save } from "./support/results.mjs";
import { median } from "./support/statistics.mjs";
import { lines } from "./support/table.mjs";
import { esModule, productModules, startTarget } from "./support/targets.mjs";

const ROOT = resolve(import.meta.dirname, "..");
const ROUNDS = 600_000;
/** A negligible number of rounds, for which the service logs a warning. */
const FEW_ROUNDS = 1000;
const WEBCRYPTO = { times: 6, rounds: 100_000 };
const MEASUREMENTS = 11;
const WARM_UP = 3;
/** Clears bit 29 of the CPUID leaf that announces SHA instructions. */
const WITHOUT_SHA = { OPENSSL_ia32cap: ":~0x20000000" };

/** Built by the Makefile: with and without SIMD, optimised for size (as the service is) or for speed. */
const WASM = ["simd-s", "plain-s", "simd-3", "plain-3"];

function workerModules() {
  const folder = join(ROOT, "target/hashing");
  const names = WASM.map((name) => `"${name}": ${name.replace("-", "_")}`);
  const imports = WASM.map((name) => `import ${name.replace("-", "_")} from "./${name}.wasm";`);
  const main = readFileSync(join(import.meta.dirname, "support/hashing-worker.mjs"), "utf8");
  return [
    esModule(join(folder, "worker.js"), main),
    esModule(join(folder, "modules.js"), `${imports.join("\n")}\nexport default { ${names.join(", ")} };`),
    ...WASM.map((name) => {
      const path = join(folder, `${name}.wasm`);
      return { type: "CompiledWasm", path, contents: readFileSync(path) };
    }),
  ];
}

/** Hashes in a Worker, which this path selects. */
const inWorkerd = (target, path, rounds = ROUNDS) => async () => {
  const before = cpuSeconds(target.pid);
  const beginning = await (await fetch(target.origin + path)).text();
  assert.equal(beginning, expected(rounds), path);
  return (cpuSeconds(target.pid) - before) * 1000;
};

/** Hashes in a separate Node process. */
function natively(env) {
  const child = fork(join(import.meta.dirname, "support/hashing-native.mjs"), { env: { ...process.env, ...env } });
  children.push(child);
  return async () => {
    child.send(ROUNDS);
    const [{ cpuMs, beginning }] = await once(child, "message");
    assert.equal(beginning, expected(ROUNDS));
    return cpuMs;
  };
}

const children = [];
const known = new Map();

function expected(rounds) {
  const derive = () => pbkdf2Sync("correct horse battery staple", "sixteen of bytes", rounds, 32, "sha256");
  return known.get(rounds) ?? known.set(rounds, derive().subarray(0, 8).toString("hex")).get(rounds);
}

/** The service as it is built: a login at full cost, minus one with a negligible number of rounds. */
async function byLogins() {
  const login = OPERATIONS.find(({ id }) => id === "login");
  const start = async (rounds) => {
    const target = await startTarget(productModules(), { settings: { PASSWORD_ITERATIONS: String(rounds) } });
    targets.push(target);
    await fill(await target.database(), hashOf(PASSWORD, rounds));
    return { ...target, name: `${rounds} rounds`, world: newWorld(PRODUCT_TOKENS) };
  };
  const [full, cheap] = [await start(ROUNDS), await start(FEW_ROUNDS)];
  return async () => {
    const [dear, rest] = [await drive(full, login, SOME), await drive(cheap, login, SOME)];
    return ((dear.cpu - rest.cpu) / SOME.amount) * 1000 * (ROUNDS / (ROUNDS - FEW_ROUNDS));
  };
}

const SOME = { connections: 1, amount: 2 };
const targets = [];

/** The candidates by name; each returns the milliseconds of one hash. A new function is added here. */
async function candidates() {
  const worker = await startTarget(workerModules(), { migrate: false });
  targets.push(worker);
  const webCryptoPath = `/webcrypto/${WEBCRYPTO.times}/${WEBCRYPTO.rounds}`;
  return {
    "own, SIMD": inWorkerd(worker, `/simd-s/own/${ROUNDS}`),
    "own, no SIMD": inWorkerd(worker, `/plain-s/own/${ROUNDS}`),
    "own, SIMD, whole module for speed": inWorkerd(worker, `/simd-3/own/${ROUNDS}`),
    "the service, by its logins": await byLogins(),
    "pbkdf2 crate, SIMD, for speed": inWorkerd(worker, `/simd-3/pbkdf2_crate/${ROUNDS}`),
    "pbkdf2 crate, no SIMD, for speed": inWorkerd(worker, `/plain-3/pbkdf2_crate/${ROUNDS}`),
    "pbkdf2 crate, SIMD, for size": inWorkerd(worker, `/simd-s/pbkdf2_crate/${ROUNDS}`),
    "WebCrypto in workerd, 6 × 100,000": inWorkerd(worker, webCryptoPath, WEBCRYPTO.rounds),
    "OpenSSL in Node": natively({}),
    "OpenSSL in Node, no SHA instructions": natively(WITHOUT_SHA),
  };
}

/** The maximum ratios of the own implementation to others. */
const GOALS = [
  ["OpenSSL in Node, no SHA instructions", 0.8],
  ["pbkdf2 crate, SIMD, for speed", 0.8],
  ["OpenSSL in Node", null],
];

async function measure(named) {
  const times = Object.fromEntries(Object.keys(named).map((name) => [name, []]));
  for (let round = 0; round < WARM_UP + MEASUREMENTS; round += 1) {
    for (const [name, hash] of Object.entries(named)) {
      times[name].push(await hash());
    }
  }
  return Object.entries(times).map(([name, list]) => {
    const counted = list.slice(WARM_UP);
    return { name, cpu_ms: median(counted), least: Math.min(...counted), most: Math.max(...counted), first: list[0] };
  });
}

/** The modules must use the same version of `sha2` as the service. */
function assertSameSha2() {
  const [ours, theirs] = ["Cargo.lock", "benches/hashing/Cargo.lock"].map((file) => {
    return readFileSync(join(ROOT, file), "utf8").match(/name = "sha2"\nversion = "(0\.11[^"]*)"/)[1];
  });
  assert.equal(theirs, ours, "benches/hashing/Cargo.lock has another version of sha2");
}

assertSameSha2();
const begun = performance.now();
try {
  const results = await measure(await candidates());
  const msOf = (wanted) => results.find(({ name }) => name === wanted).cpu_ms;
  const own = msOf("own, SIMD");
  const rows = results.map((result) => {
    return [result.name, result.cpu_ms, result.least, result.most, result.first, own / result.cpu_ms];
  });
  const around = circumstances();
  const file = save("bench-hashing.json", { ...around, rounds: ROUNDS, measurements: MEASUREMENTS, results });
  const goals = GOALS.map(([name, aim]) => {
    const ratio = own / msOf(name);
    const verdict = aim === null ? "" : ` (aim: at most ${aim}; ${ratio <= aim ? "reached" : "missed"})`;
    return `own / ${name}: ${ratio.toFixed(2)}${verdict}`;
  });
  const hasSha = readFileSync("/proc/cpuinfo", "utf8").includes(" sha_ni");
  console.log(`
${inWords(around).join("\n")}

${lines([["PBKDF2-HMAC-SHA256", "CPU ms", "least", "most", "first call", "own / this"], ...rows]).join("\n")}

${goals.join("\n")}

${ROUNDS} rounds; medians of ${MEASUREMENTS} measurements in turn. "first call": of all of a module, not yet optimised.
The processor has ${hasSha ? "" : "no "}SHA instructions; WebAssembly cannot use them.
${((performance.now() - begun) / 1000).toFixed(0)} s; ${file}`);
} finally {
  children.forEach((child) => child.disconnect());
  await Promise.all(targets.map((target) => target.stop()));
}
