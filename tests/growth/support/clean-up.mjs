// Runs of the clean-up, as the timer would start them, until nothing is left to remove.
import assert from "node:assert/strict";

import { quantile, takeBatches, total } from "./batches.mjs";

const CRON = "*/15 * * * *";
/** The same Cron Trigger starts the upkeep of signing keys and of the key of the audit archive, which asks the database about them. */
const isOfKeys = ({ statements }) => statements.some(({ sql }) => /key_ring|signing_keys|audit_keys/.test(sql));
const isReport = (line) => line.name === "app.clean_up";

/** A run makes so many steps at most, and the next one goes on. Enough for everything that a test stores. */
const MOST_RUNS = 100;

/**
 * All of them, `[{removed, ms, batches}]`, and the batches of concurrent requests. A run that only takes names out of
 * events removes no row: `isOver` says whether one was the last.
 */
export async function cleanUp(service, isOver = () => true) {
  const worker = await service.miniflare.getWorker();
  const runs = [];
  const others = [];
  await takeBatches(service);
  do {
    const begun = performance.now();
    const { outcome } = await worker.scheduled({ cron: CRON });
    const ms = performance.now() - begun;
    assert.equal(outcome, "ok");
    const { d1_calls, ...removed } = await reportOf(service, runs.length + 1);
    const batches = await takeBatches(service);
    const own = batches.filter((batch) => batch.handler === "scheduled" && !isOfKeys(batch));
    assert.equal(own.length, d1_calls);
    others.push(...batches.filter(({ handler }) => handler === "fetch"));
    runs.push({ removed, ms, batches: own });
    assert.ok(runs.length < MOST_RUNS);
  } while (Object.values(runs.at(-1).removed).some((number) => number > 0) || !(await isOver()));
  return { runs, others };
}

/** The line that this run logged: the removed rows, and its round trips. */
async function reportOf(service, run) {
  await service.logged(isReport, run);
  const line = service.logs(isReport)[run - 1];
  assert.equal(line.message, "Cleaned up", JSON.stringify(line));
  const { sessions, audit_events, registration_counts, users, d1_calls } = line;
  return { sessions, audit_events, registration_counts, users, d1_calls };
}

/** Prints the results of the runs, and the durations of their batches and of concurrent refreshes, in milliseconds. */
export function printRuns({ runs, others, refreshesBefore, refreshesMeanwhile }) {
  const lines = runs.map(({ removed, ms, batches }) => {
    const times = timesOf(batches);
    return {
      ...removed,
      ms: Math.round(ms),
      batches: batches.length,
      median: quantile(times, 0.5),
      slowest: quantile(times, 1),
      "rows read": total(batches, "read"),
      "rows written": total(batches, "written"),
    };
  });
  console.log("Runs of the clean-up: rows removed, time, batches and the time of one, rows read");
  console.table(lines);
  const print = (label, times, shares) => {
    const named = shares.map((share) => `p${100 * share} ${quantile(times, share).toFixed(0)} ms`);
    console.log(`${times.length} ${label}: ${named.join(", ")}`);
  };
  const batches = runs.flatMap((run) => run.batches);
  print("batches of the clean-up", timesOf(batches), [0.5, 0.99, 1]);
  const [slowest] = batches.toSorted((one, other) => other.ms - one.ms);
  console.log(`The slowest: ${JSON.stringify(slowest)}`);
  print("batches of requests beside it", timesOf(others), [0.5, 0.99, 1]);
  print("refreshes before", refreshesBefore, [0.5, 0.95]);
  print("refreshes beside it", refreshesMeanwhile, [0.5, 0.95]);
}

export const timesOf = (batches) => batches.map(({ ms }) => ms);
