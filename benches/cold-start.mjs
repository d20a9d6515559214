// `make bench-cold`: the cold start up to the first response, for the service and for the floor. Writes
// dist/bench-cold.json.
//
// workerd loads a Worker and runs its top-level code before it listens. The cost of a cold isolate is therefore spread
// over the start and the first request. Each start here is a new workerd on an existing database, with four requests.
// The first /health builds settings and router; the first /users/me is the first to use D1. Both are repeated once. For
// the floor workerd starts too, so the difference is the cost of the Worker. CPU is that of the process so far.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";

import { cpuSeconds } from "./support/cpu.mjs";
import { circumstances, inWords } from "./support/machine.mjs";
import { learnModel } from "./support/model.mjs";
import { newWorld, OPERATIONS } from "./support/operations.mjs";
import { fill, FLOOR_TOKENS, PRODUCT_TOKENS } from "./support/people.mjs";
import { record, RECORDER } from "./support/recording.mjs";
import { save } from "./support/results.mjs";
import { median } from "./support/statistics.mjs";
import { lines } from "./support/table.mjs";
import { PLACE, productModules, replayModules, startTarget } from "./support/targets.mjs";

const STARTS = 15;
const STEPS = ["start", "first /health", "second /health", "first /users/me", "second /users/me"];
const [HEALTH, ME] = ["health", "me"].map((name) => OPERATIONS.find(({ id }) => id === name));

/** The statements of the measured operations, for the floor. */
async function recordProduct() {
  const target = await startTarget(productModules(RECORDER));
  try {
    await fill(await target.database(), model);
    return await record({ ...target, world: newWorld(PRODUCT_TOKENS) }, [HEALTH, ME]);
  } finally {
    await target.stop();
  }
}

/** One request on a new connection; resolves to its duration in ms. */
async function ask({ origin, world }, operation) {
  const { path, ...options } = operation.request(world, 0);
  const begun = performance.now();
  const outgoing = request(new URL(path, origin), { ...options, agent: false }).end();
  const [incoming] = await once(outgoing, "response");
  incoming.resume();
  await once(incoming, "end");
  if (incoming.statusCode !== operation.status) {
    throw new Error(`${operation.title}: ${incoming.statusCode}`);
  }
  return performance.now() - begun;
}

/** One start: the duration of each step in ms, and the CPU time of the process at its end in ms. */
async function startOnce({ modules, tokens, state }) {
  const target = { ...(await startTarget(modules, { state, migrate: false })), world: newWorld(tokens) };
  try {
    const ms = [target.startedAfterMs];
    const cpu = [cpuSeconds(target.pid) * 1000];
    for (const operation of [HEALTH, HEALTH, ME, ME]) {
      ms.push(await ask(target, operation));
      cpu.push(cpuSeconds(target.pid) * 1000);
    }
    return { ms, cpu };
  } finally {
    await target.stop();
  }
}

async function prepare(target) {
  target.state = mkdtempSync(join(PLACE, "edge-auth-cold-"));
  process.once("exit", () => rmSync(target.state, { recursive: true, force: true }));
  const first = await startTarget(target.modules, { state: target.state });
  await fill(await first.database(), model);
  await first.stop();
}

/** Medians over the starts, per step; CPU is that of the step alone. The last row sums up to the first response. */
function summary(starts) {
  const steps = STEPS.map((step, index) => ({
    step,
    ms: median(starts.map(({ ms }) => ms[index])),
    cpu_ms: median(starts.map(({ cpu }) => cpu[index] - (cpu[index - 1] ?? 0))),
  }));
  const total = {
    step: "until the first answer",
    ms: median(starts.map(({ ms: [start, first] }) => start + first)),
    cpu_ms: median(starts.map(({ cpu: [, first] }) => first)),
  };
  return [...steps, total];
}

const begun = performance.now();
const model = await learnModel();
const targets = [
  { name: "product", modules: productModules(), tokens: PRODUCT_TOKENS },
  { name: "floor", modules: replayModules("floor-worker.mjs", await recordProduct()), tokens: FLOOR_TOKENS },
];
for (const target of targets) {
  await prepare(target);
  target.starts = [];
}
for (let start = 0; start < STARTS; start += 1) {
  for (const target of start % 2 === 0 ? targets : targets.toReversed()) {
    target.starts.push(await startOnce(target));
  }
}
const [product, floor] = targets.map(({ starts }) => summary(starts));
const rows = product.map((ours, index) => {
  const least = floor[index];
  return [ours.step, ours.cpu_ms, least.cpu_ms, ours.cpu_ms - least.cpu_ms, "|", ours.ms, least.ms, ours.ms - least.ms];
});
const around = circumstances();
const file = save("bench-cold.json", { ...around, starts: STARTS, product, floor });
const heading = ["", "CPU", "floor CPU", "added", "|", "time", "floor time", "added"];
console.log(`
${inWords(around).join("\n")}

${lines([heading, ...rows]).join("\n")}

Milliseconds, medians of ${STARTS} starts of each, in turn. "start": from the start of the process until it listens.
${((performance.now() - begun) / 1000).toFixed(0)} s; ${file}`);
