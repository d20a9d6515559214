// Measures the operations in a world of `tests/e2e/support/world.mjs`: warm in every region, and, in one region, the first
// request of an isolate and requests during a stall of the primary's region. Every request has an id, by which the
// world knows its calls.
import { setTimeout as sleep } from "node:timers/promises";

import { startService } from "../../tests/e2e/support/service.mjs";
import { callsOf, setWorld } from "../../tests/e2e/support/world.mjs";
import { percentile } from "../support/statistics.mjs";
import { knock, OPERATIONS, settled } from "./operations.mjs";
import { LAG_MS, REGIONS } from "./regions.mjs";

/** The region of the cold isolates and of the stall. */
const COLD = "replica";
/** Requests that open the circuit breaker of an isolate. */
const KNOCKS = 8;
const BOOKMARK = "x-edge-auth-bookmark";
const EVERY_MINUTE = "* * * * *";

/** Hashes cost nothing here, so that the distances show. */
const SETTINGS = { PASSWORD_ITERATIONS: "1", D1_TIMEOUT_MS: undefined };

let requests = 0;

/** A client in a region: it names the state of the database that it saw last, as `docs/near.md` says. */
class Client {
  #bookmark;

  constructor(region) {
    this.region = region;
  }

  /** The response, with its time in milliseconds and its id. */
  async ask(run) {
    requests += 1;
    const id = `world-${requests}`;
    const bookmark = this.#bookmark && { [BOOKMARK]: this.#bookmark };
    const begun = performance.now();
    const response = await run({ "X-World-Region": this.region, "X-Request-ID": id, ...bookmark });
    const ms = performance.now() - begun;
    this.#bookmark = response.headers[BOOKMARK] ?? this.#bookmark;
    return { ...response, ms, id };
  }
}

function expect({ title, status }, response) {
  if (response.status !== status) {
    throw new Error(`${title}: ${response.status} ${response.text}, where ${status} was expected`);
  }
  return response;
}

async function asked(operation, service, subject, shared, region) {
  const client = new Client(region);
  if (operation.before !== undefined) {
    await client.ask((headers) => operation.before(service, subject, headers));
  }
  return client.ask((headers) => operation.run(service, subject, headers, shared));
}

/** The subjects of as many requests of an operation. */
async function subjects(operation, service, shared, count) {
  const made = [];
  for (let number = 0; number < count; number += 1) {
    made.push(await operation.prepare(service, shared));
  }
  return made;
}

async function trips(service, id) {
  const calls = (await callsOf(service, id)).filter(({ isBehind }) => !isBehind);
  const count = (isWanted) => calls.filter(({ place }) => isWanted(place)).length;
  return {
    far: count((place) => place === "primary"),
    near: count((place) => place !== "primary" && place !== "object"),
    object: count((place) => place === "object"),
  };
}

async function warm(service, shared, region, prepared, repetitions) {
  const results = [];
  for (const [index, operation] of OPERATIONS.entries()) {
    const answers = [];
    for (let number = 0; number < repetitions; number += 1) {
      answers.push(expect(operation, await asked(operation, service, prepared[index][number], shared, region)));
    }
    const all = await Promise.all(answers.map(({ id }) => trips(service, id)));
    const most = (kind) => Math.max(...all.map((one) => one[kind]));
    const times = answers.map(({ ms }) => ms);
    const counted = { far: most("far"), near: most("near"), object: most("object") };
    results.push({ ...counted, p50: percentile(times, 0.5), p95: percentile(times, 0.95) });
  }
  return results;
}

/** Each operation as the first request of an isolate. */
async function cold(isolates, shared, prepared) {
  const results = [];
  for (const [index, operation] of OPERATIONS.entries()) {
    const [subject] = prepared[index];
    const answer = expect(operation, await asked({ ...operation, before: undefined }, isolates[index], subject, shared, COLD));
    results.push({ ms: answer.ms, ...(await trips(isolates[index], answer.id)) });
  }
  return results;
}

/** Each operation while neither the primary nor the breaker's object answers, and again once the isolate's breaker has opened. */
async function stalled(isolates, shared, prepared) {
  const at = (place) => (operation, index) =>
    asked({ ...operation, before: undefined }, isolates[index], prepared[index][place], shared, COLD);
  const results = async (place) => (await Promise.all(OPERATIONS.map(at(place)))).map(({ status, ms }) => ({ status, ms }));
  const first = await results(1);
  const knocks = isolates.flatMap((isolate) => {
    return Array.from({ length: KNOCKS }, () => new Client(COLD).ask((headers) => knock(isolate, shared, headers)));
  });
  await Promise.all(knocks);
  return { first, later: await results(2) };
}

/** Runs the trigger of every minute, as the platform does. */
async function withCron(service, act) {
  const worker = await service.miniflare.getWorker();
  const beat = () => worker.scheduled({ cron: EVERY_MINUTE });
  await beat();
  const timer = setInterval(() => beat().catch(() => {}), 30_000);
  try {
    return await act();
  } finally {
    clearInterval(timer);
  }
}

/** All numbers with these settings of the service. */
export async function measure(settings, repetitions) {
  const options = { isReplicated: true, isolates: OPERATIONS.length + 1, settings: { ...SETTINGS, ...settings } };
  const service = await startService(options);
  try {
    return await withCron(service, async () => {
      const [main, ...isolates] = service.isolates;
      const shared = await settled(service);
      const each = (count) => inTurn(OPERATIONS, (operation) => subjects(operation, service, shared, count));
      const names = Object.keys(REGIONS);
      const prepared = await inTurn(names, () => each(repetitions));
      const ofIsolates = await each(3);
      await setWorld(service, { regions: REGIONS, east: { lag: LAG_MS }, west: { lag: LAG_MS } });
      // The subjects are older than the lag.
      await sleep(2 * LAG_MS);
      const regions = await Promise.all(names.map((name, index) => warm(main, shared, name, prepared[index], repetitions)));
      const ofCold = await cold(isolates, shared, ofIsolates);
      await setWorld(service, { primary: { state: "stalled" }, object: "stalled" });
      const inStall = await stalled(isolates, shared, ofIsolates);
      await setWorld(service, { primary: { state: "ok" }, object: "ok" });
      return { regions: Object.fromEntries(names.map((name, index) => [name, regions[index]])), cold: ofCold, stall: inStall };
    });
  } finally {
    await service.stop();
  }
}

async function inTurn(items, act) {
  const results = [];
  for (const item of items) {
    results.push(await act(item));
  }
  return results;
}
