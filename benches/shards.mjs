// `make bench-shards`: the same bundle on local D1, on one slice, and on eight slices with a directory. Sign-ins, refreshes
// and `me` per second with 1, 8 and 32 connections. Writes a table, and dist/bench-shards.json. The prototype and its
// limits are in docs/scale.md.
//
// Saturated: each connection sends its next request as soon as the last is answered. A password has one round of hashing,
// the least that the settings allow, so a sign-in is the cost of its two round trips. All three stay running and are
// measured in turn, in an order that rotates, and the ratio to D1 is that of the same round. All share the processors of
// this machine, with the load itself: the eight slices have no more of them than the one.
//
// Locally D1 is a Durable Object with SQLite too, in the same process, behind D1's own protocol over HTTP. So the
// difference is that protocol against one RPC call. It says nothing about a network between the Worker and either of them.
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";

import { migrations } from "./shards/migrations.mjs";
import { drive } from "./support/load.mjs";
import { circumstances, inWords } from "./support/machine.mjs";
import { learnModel } from "./support/model.mjs";
import { newWorld, OPERATIONS } from "./support/operations.mjs";
import { emailOf, fill, hashOf, PASSWORD, PRODUCT_TOKENS, rowsOf, USERS } from "./support/people.mjs";
import { save } from "./support/results.mjs";
import { errorOfMedian, median, percentile } from "./support/statistics.mjs";
import { lines } from "./support/table.mjs";
import { PLACE, productModules, shardedModules, startTarget } from "./support/targets.mjs";

const PASSWORD_ITERATIONS = 1;
const SETTINGS = { PASSWORD_ITERATIONS: String(PASSWORD_ITERATIONS) };
const OBJECTS = {
  SLICE: { className: "Slice", useSQLite: true },
  DIRECTORY: { className: "Directory", useSQLite: true },
};
const LEVELS = [1, 8, 32];
/** Requests of one run. */
const AMOUNTS = { login: 320, refresh: 640, me: 960 };
const WARM_UP = 640;
const ROUNDS = Number(process.env.ROUNDS ?? 9);
const MEASURED = ["login", "refresh", "me"].map((name) => OPERATIONS.find(({ id }) => id === name));
/** Addresses in one call to the directory. */
const PLACES = 1000;
/** On disk each commit waits for it. */
const IS_ON_DISK = process.env.DISK === "on";

function newFolder() {
  const folder = mkdtempSync(join(IS_ON_DISK ? tmpdir() : PLACE, "edge-auth-shards-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function startD1(model) {
  const target = await startTarget(productModules(), { settings: SETTINGS, state: newFolder() });
  await fill(await target.database(), model);
  return { ...target, name: "D1" };
}

async function startSlices(slices, model) {
  const settings = { ...SETTINGS, SLICES: String(slices) };
  const target = await startTarget(shardedModules(), { settings, state: newFolder(), migrate: false, objects: OBJECTS });
  const post = async (body) => {
    const response = await fetch(target.origin, { method: "POST", headers: { "X-Fill": "on" }, body: JSON.stringify(body) });
    const { message } = await response.json();
    if (message !== undefined) {
      throw new Error(message);
    }
  };
  for (let slice = 0; slice < slices; slice += 1) {
    for (const statements of migrations()) {
      await post({ slice, statements: statements.map((sql) => [sql, []]) });
    }
    const rows = rowsOf(USERS, model).map(({ sql, values }) => [ofSlice(sql, slice, slices), values]);
    await post({ slice, statements: rows });
  }
  for (let first = 1; first <= USERS; first += PLACES) {
    const users = Array.from({ length: PLACES }, (_, index) => first + index);
    await post({ places: users.map((user) => [emailOf(user), user % slices]) });
  }
  return { ...target, name: slices === 1 ? "1 slice" : `${slices} slices` };
}

/** The users of one slice: those whose ids have its number in their lowest bits. */
const ofSlice = (sql, slice, slices) => sql.replace(/FROM numbers(?=$| ORDER)/, `FROM numbers WHERE n % ${slices} = ${slice}`);

async function measure(targets) {
  for (const target of targets) {
    for (const operation of MEASURED) {
      await drive(target, operation, { connections: 8, amount: WARM_UP });
    }
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const connections of LEVELS) {
      for (const operation of MEASURED) {
        for (let turn = 0; turn < targets.length; turn += 1) {
          const target = targets[(turn + round) % targets.length];
          const amount = AMOUNTS[operation.id];
          const { seconds, cpu, latencies } = await drive(target, operation, { connections, amount });
          const run = { rate: amount / seconds, cpu: (cpu / amount) * 1000, latencies };
          (target.runs[`${operation.id} ${connections}`] ??= []).push(run);
        }
      }
    }
  }
}

/** The figures of one operation at one level, and its ratios to D1 in the same rounds. */
function figures(target, d1, key) {
  const [runs, reference] = [target.runs[key], d1.runs[key]];
  const latencies = runs.flatMap((run) => run.latencies);
  const ratio = (member) => {
    const ratios = runs.map((run, index) => run[member] / reference[index][member]);
    return { median: median(ratios), error: errorOfMedian(ratios) };
  };
  return {
    target: target.name,
    per_second: median(runs.map(({ rate }) => rate)),
    latency_ms: { p50: percentile(latencies, 0.5), p95: percentile(latencies, 0.95) },
    cpu_seconds_per_1000: median(runs.map(({ cpu }) => cpu)),
    rate_to_d1: ratio("rate"),
    cpu_to_d1: ratio("cpu"),
  };
}

const inTable = ({ median: value, error }) => `${value.toFixed(2)} ± ${error.toFixed(2)}`;

const begun = performance.now();
const before = loadavg()[0];
const model = { ...(await learnModel()), hash: hashOf(PASSWORD, PASSWORD_ITERATIONS) };
const targets = [];
try {
  for (const start of [() => startD1(model), () => startSlices(1, model), () => startSlices(8, model)]) {
    targets.push({ ...(await start()), world: newWorld(PRODUCT_TOKENS), runs: {} });
  }
  await measure(targets);
  const results = LEVELS.flatMap((connections) => {
    return MEASURED.flatMap(({ id, title }) => {
      const of = (target) => figures(target, targets[0], `${id} ${connections}`);
      return targets.map((target) => ({ operation: title, connections, ...of(target) }));
    });
  });
  const around = { ...circumstances(), load_before: before, load_after: loadavg()[0], on_disk: IS_ON_DISK, rounds: ROUNDS };
  const file = save(`bench-shards${IS_ON_DISK ? "-disk" : ""}.json`, { ...around, results });
  const heading = ["operation", "conn.", "on", "per second", "p50", "p95", "CPU", "rate to D1", "CPU to D1"];
  const rows = results.map((row) => {
    const { latency_ms: latency, cpu_seconds_per_1000: cpu } = row;
    const numbers = [row.per_second, latency.p50, latency.p95, cpu];
    return [row.operation, String(row.connections), row.target, ...numbers, inTable(row.rate_to_d1), inTable(row.cpu_to_d1)];
  });
  console.log(`
${inWords(around).join("\n")}

${lines([heading, ...rows]).join("\n")}

Times in ms; CPU: seconds of the workerd process, databases included, per 1,000 requests. ${ROUNDS} rounds, databases ${IS_ON_DISK ? "on disk" : "in memory"}.
Load of the machine ${before.toFixed(1)} before, ${loadavg()[0].toFixed(1)} after, the load of this benchmark included.
${((performance.now() - begun) / 1000).toFixed(0)} s; ${file}`);
} finally {
  await Promise.all(targets.map((target) => target.stop()));
}
