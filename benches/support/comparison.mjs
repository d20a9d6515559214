// Compares product, plain service and floor: the order and number of measurements, and the evaluation of the rounds.
import { drive } from "./load.mjs";
import { errorOfMedian, median, percentile } from "./statistics.mjs";

export const LEVELS = [1, 16];
/**
 * Requests of one measurement, per number of connections; a request with a hash takes as long as hundreds without. The
 * numbers are small, so that other load on the machine is about the same for both of a pair.
 */
const AMOUNTS = { 1: { usual: 100, hashing: 4 }, 16: { usual: 200, hashing: 16 } };
/** Requests before the measurement, so that V8 has optimised the code. */
const WARM_UP = { connections: 16, usual: 2000, hashing: 16, floor: 200 };
/** Requests to the floor for an operation with a hash, which the floor does not compute. */
const FLOOR_AMOUNT = 64;
const ROUNDS = { hashing: 3, usual: 60 };
const MIN_ROUNDS = 3;

const cellOf = (operation, connections, target) => `${operation.id} ${connections} ${target.name}`;

function amountOf(operation, target, connections) {
  if (!operation.hashes) {
    return AMOUNTS[connections].usual;
  }
  return target.name === "floor" ? FLOOR_AMOUNT : AMOUNTS[connections].hashing;
}

/** The plain service does not hash passwords, because WebCrypto refuses as many rounds. */
const on = (operation, targets) => targets.filter(({ name }) => !operation.hashes || name !== "plain");

async function warmUp(operations, targets) {
  for (const operation of operations) {
    for (const target of on(operation, targets)) {
      const amount = operation.hashes ? (target.name === "floor" ? WARM_UP.floor : WARM_UP.hashing) : WARM_UP.usual;
      await drive(target, operation, { connections: WARM_UP.connections, amount });
    }
  }
}

/** Measures each operation and level once on every target; their order alternates from round to round. */
async function runRound(operations, targets, round, runs) {
  const order = round % 2 === 0 ? targets : [...targets].reverse();
  for (const connections of LEVELS) {
    for (const operation of operations) {
      for (const target of on(operation, order)) {
        const amount = amountOf(operation, target, connections);
        const run = await drive(target, operation, { connections, amount });
        runs.get(cellOf(operation, connections, target)).push({ ...run, amount });
      }
    }
  }
}

/**
 * Measures everything and summarises it. It ends before `performance.now()` reaches `deadline`, unless the minimum
 * number of rounds takes longer.
 */
export async function compare(operations, [product, plain, floor], deadline) {
  const targets = [product, plain, floor];
  await warmUp(operations, targets);
  const runs = new Map();
  operations.forEach((operation) => {
    LEVELS.forEach((level) => targets.forEach((target) => runs.set(cellOf(operation, level, target), [])));
  });
  const rounds = async (chosen, most) => {
    let longest = 0;
    for (let round = 0; chosen.length > 0 && round < most; round += 1) {
      const begun = performance.now();
      if (round >= MIN_ROUNDS && begun + longest > deadline) {
        return;
      }
      await runRound(chosen, targets, round, runs);
      longest = Math.max(longest, performance.now() - begun);
    }
  };
  await rounds(operations.filter(({ hashes }) => hashes), ROUNDS.hashing);
  await rounds(operations.filter(({ hashes }) => !hashes), ROUNDS.usual);
  return LEVELS.flatMap((connections) => operations.map((operation) => {
    const [ours, simple, least] = targets.map((target) => summary(runs.get(cellOf(operation, connections, target))));
    const measured = { operation: operation.title, connections, product: ours, plain: simple, floor: least };
    return { ...measured, to_plain: ratioOf(ours, simple), to_floor: ratioOf(ours, least) };
  }));
}

/** The ratio of CPU, as the median over the rounds, with its standard error; null if the other was not measured. */
function ratioOf(ours, other) {
  if (ours === null || other === null) {
    return null;
  }
  const below = other.cpu_seconds_per_1000_of_rounds;
  const ratios = ours.cpu_seconds_per_1000_of_rounds.map((cpu, round) => cpu / below[round]);
  return { cpu_ratio: median(ratios), cpu_ratio_error: errorOfMedian(ratios) };
}

/** Summarises the rounds of one operation on one target: medians over rounds, percentiles over all responses. */
function summary(runs) {
  if (runs.length === 0) {
    return null;
  }
  const latencies = runs.flatMap((run) => run.latencies);
  const cpu = runs.map((run) => (run.cpu / run.amount) * 1000);
  return {
    rounds: runs.length,
    requests: latencies.length,
    requests_per_second: median(runs.map((run) => run.amount / run.seconds)),
    latency_ms: { p50: percentile(latencies, 0.5), p95: percentile(latencies, 0.95), p99: percentile(latencies, 0.99) },
    cpu_seconds_per_1000: median(cpu),
    cpu_seconds_per_1000_of_rounds: cpu,
  };
}
