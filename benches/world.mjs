// `make bench-world`: the cost of distance. Operations in three regions: beside the primary of D1, on another continent
// with a replica near by, and on one without; with READ_REPLICATION off and on. Writes tables in Markdown,
// dist/bench-world.json and docs/world.svg.
//
// Distances are waits in front of the local D1 (`tests/e2e/wrappers/world.mjs`), so the machine's other load matters
// little. Passwords are hashed in one round. "far" and "near" are calls to the primary and to a replica before the
// response. Regions are measured at the same time, each with one request after another. The first request of an isolate
// includes the start of its Wasm module. In a stall neither the primary nor the circuit breaker's object answers:
// the first request then, and one after the isolate's breaker has opened.
import { readdirSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";

import { circumstances, inWords } from "./support/machine.mjs";
import { save } from "./support/results.mjs";
import { measure } from "./world/measure.mjs";
import { OPERATIONS } from "./world/operations.mjs";
import { drawWorld } from "./world/picture.mjs";
import { LAG_MS, REGIONS } from "./world/regions.mjs";
import { coldTable, warmTable } from "./world/tables.mjs";

const DIST = resolve(import.meta.dirname, "../dist");
const REPETITIONS = Number(process.env.REPETITIONS ?? 15);

const wasm = readdirSync(DIST).find((name) => name.endsWith(".wasm"));
const isKnown = readFileSync(join(DIST, wasm)).includes("READ_REPLICATION");

const begun = performance.now();
const results = { off: await measure({ READ_REPLICATION: undefined }, REPETITIONS) };
if (isKnown) {
  results.on = await measure({ READ_REPLICATION: "on" }, REPETITIONS);
}
const titles = OPERATIONS.map(({ title }) => title);
const around = circumstances();
const given = { regions: REGIONS, lag_ms: LAG_MS, repetitions: REPETITIONS, load: loadavg() };
const file = save("bench-world.json", { ...around, ...given, operations: titles, results });
const picture = drawWorld(titles, results);
console.log(`
${inWords(around).join("\n")}

${warmTable(titles, results)}

${coldTable(titles, results)}

Milliseconds, p50 (p95) of ${REPETITIONS} requests; a replica lags ${LAG_MS} ms. The primary is ${REGIONS.home.primary}, \
${REGIONS.replica.primary} and ${REGIONS.remote.primary} ms away, a replica ${REGIONS.replica.east} and ${REGIONS.remote.west}.
${isKnown ? "READ_REPLICATION off → on." : "This version has no READ_REPLICATION: everything is read at the primary."} \
Load of the machine: ${loadavg()[1].toFixed(1)}. ${((performance.now() - begun) / 1000).toFixed(0)} s; ${file}, ${picture}`);
