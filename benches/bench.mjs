// `make bench`: compares the service with a plain JavaScript service of the same promises, and with the floor, the least
// that this runtime can do for the same operations. Writes one table, and dist/bench.json.
//
// All three run side by side, each on its own workerd. A round measures every operation once on each of them, in direct
// succession, so that other load on the machine affects all of them. There are as many rounds as fit into the time.
// CPU is the processor time of the workerd process, including its D1, for a fixed number of requests.
import { compare } from "./support/comparison.mjs";
import { assertFaithful, assertSamePromises, withRefusals } from "./support/faithful.mjs";
import { circumstances, inWords } from "./support/machine.mjs";
import { learnModel } from "./support/model.mjs";
import { newWorld, OPERATIONS } from "./support/operations.mjs";
import { fill, FLOOR_TOKENS, PRODUCT_TOKENS } from "./support/people.mjs";
import { record, RECORDER } from "./support/recording.mjs";
import { save } from "./support/results.mjs";
import { lines, number } from "./support/table.mjs";
import { PLACE, productModules, replayModules, startTarget } from "./support/targets.mjs";

/** A round does not start if it would probably end later than this after the start of the benchmark. */
const BUDGET_MS = 140_000;
/** The benchmark hangs if it takes this long. */
const LIMIT_MS = 180_000;

/** `ONLY=me,refresh` measures only these, in more rounds. */
const only = process.env.ONLY?.split(",") ?? [];
const measured = only.length === 0 ? OPERATIONS : OPERATIONS.filter(({ id }) => only.includes(id));

const begun = performance.now();
const model = await learnModel();

/** Starts a target on a fresh database with the same users for each. */
async function start(name, modules, tokens, settings) {
  const target = await startTarget(modules, { settings });
  await fill(await target.database(), model);
  return { ...target, name, world: newWorld(tokens) };
}

const startProduct = (wrapper) => start("product", productModules(wrapper), PRODUCT_TOKENS);
const startPlain = (recording, wrapper) => {
  return start("plain", replayModules("plain-worker.mjs", recording, wrapper), PRODUCT_TOKENS);
};
const startFloor = (recording, wrapper) => {
  const settings = { TOKEN_LENGTH: String(PRODUCT_TOKENS.refresh(1).length) };
  return start("floor", replayModules("floor-worker.mjs", recording, wrapper), FLOOR_TOKENS, settings);
};

async function using(target, use) {
  try {
    return await use(target);
  } finally {
    await target.stop();
  }
}

/** Records the product, and checks with recordings of the others that they do the same. */
async function recordProduct() {
  return using(await startProduct(RECORDER), async (product) => {
    const recording = await withRefusals(product, await record(product, OPERATIONS));
    const { refusals, ...statements } = recording;
    await using(await startFloor(statements, RECORDER), async (floor) => {
      assertFaithful("floor", OPERATIONS, recording, await record(floor, OPERATIONS, { hasLogs: false }));
    });
    await using(await startPlain(statements, RECORDER), async (plain) => {
      const operations = OPERATIONS.filter(({ hashes }) => !hashes);
      const ofPlain = await withRefusals(plain, await record(plain, operations));
      assertFaithful("plain service", operations, recording, ofPlain);
      assertSamePromises(operations, recording, ofPlain);
    });
    return statements;
  });
}

const cpuOf = (target) => target?.cpu_seconds_per_1000;
const ratioOf = (ratio) => [ratio?.cpu_ratio, ratio === null ? "" : `± ${number(ratio.cpu_ratio_error)}`];

function table(results) {
  const rowOf = ({ operation, connections, product, plain, floor, to_plain: toPlain, to_floor: toFloor }) => {
    const { requests_per_second: rate, latency_ms: { p50, p95, p99 } } = product;
    const own = [operation, String(connections), rate, p50, p95, p99, cpuOf(product)];
    return [...own, "|", cpuOf(plain), ...ratioOf(toPlain), "|", cpuOf(floor), ...ratioOf(toFloor)];
  };
  const own = ["", "conn.", "req/s", "p50", "p95", "p99", "CPU"];
  const heading = [...own, "|", "plain CPU", "ratio", "", "|", "floor CPU", "ratio", ""];
  return lines([heading, ...results.map(rowOf).map((row) => row.map((cell) => cell ?? NaN))]);
}

/** The requests to the product, per kind of operation and level. */
function amounts(results) {
  const kinds = results.map(({ operation, connections, product: { requests, rounds } }) => {
    const isHashing = OPERATIONS.find(({ title }) => title === operation).hashes;
    const kind = isHashing ? "of those that hash" : "of each operation";
    return `${requests} ${kind} with ${connections} in ${rounds} rounds`;
  });
  return [...new Set(kinds)].join(", ");
}

setTimeout(() => {
  console.error(`Not done after ${LIMIT_MS / 1000} s: given up.`);
  process.exit(1);
}, LIMIT_MS).unref();
console.log("Recording the product's statements, and checking that plain service and floor do the same …");
const recording = await recordProduct();
console.log("Measuring …");
const results = await using(await startProduct(), async (product) =>
  using(await startPlain(recording), async (plain) =>
    using(await startFloor(recording), (floor) => compare(measured, [product, plain, floor], begun + BUDGET_MS)),
  ),
);
const around = circumstances();
const file = save("bench.json", { ...around, databases: PLACE, results });
console.log(`
${inWords(around).join("\n")}

${table(results).join("\n")}

Times in ms; CPU: seconds of the workerd process, D1 included, per 1,000 requests. Ratios: product / plain service and
product / floor in the same round, the median of all rounds with its standard error. The aim beside the plain service:
at most 1.2 for me, refresh and logout, 1.3 for health.
Requests: ${amounts(results)}.
Passwords are hashed at full cost; limits per address are off; the log, level INFO, goes to a file; databases in \
${PLACE}.
${((performance.now() - begun) / 1000).toFixed(0)} s; all of it in ${file}`);
