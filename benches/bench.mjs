// `make bench`: compares the service with the floor, the least that this runtime can do for the same operations. Writes
// one table, and dist/bench.json.
//
// Product and floor run side by side, each on its own workerd. A round measures every operation once on each of them,
// in direct succession, so that other load on the machine affects both. There are as many rounds as fit into the time.
// CPU is the processor time of the workerd process, including its D1, for a fixed number of requests.
import { register } from "../tests/e2e/support/client.mjs";
import { rows } from "../tests/e2e/support/database.mjs";
import { compare } from "./support/comparison.mjs";
import { assertFaithful } from "./support/faithful.mjs";
import { circumstances, inWords } from "./support/machine.mjs";
import { newWorld, OPERATIONS } from "./support/operations.mjs";
import { fill, FLOOR_TOKENS, PASSWORD, PRODUCT_TOKENS } from "./support/people.mjs";
import { record, RECORDER } from "./support/recording.mjs";
import { save } from "./support/results.mjs";
import { lines, number } from "./support/table.mjs";
import { floorModules, PLACE, productModules, startTarget } from "./support/targets.mjs";

/** A round does not start if it would probably end later than this after the start of the benchmark. */
const BUDGET_MS = 140_000;
/** The benchmark hangs if it takes this long. */
const LIMIT_MS = 180_000;

/** Starts the product on a fresh database with the users. Their `hash` has the service's default parameters. */
async function startProduct(wrapper) {
  const product = await startTarget(productModules(wrapper));
  await register(product, { email: "first@mail.example", password: PASSWORD });
  const database = await product.database();
  const [{ password_hash: hash }] = await rows(database, "SELECT password_hash FROM users");
  await fill(database, hash);
  return { ...product, name: "product", world: newWorld(PRODUCT_TOKENS), hash };
}

/** Starts the floor on a fresh database with the same users. */
async function startFloor(recording, hash, wrapper) {
  const settings = { TOKEN_LENGTH: String(PRODUCT_TOKENS.refresh(1).length) };
  const floor = await startTarget(floorModules(recording, wrapper), { settings });
  await fill(await floor.database(), hash);
  return { ...floor, name: "floor", world: newWorld(FLOOR_TOKENS) };
}

async function using(target, use) {
  try {
    return await use(target);
  } finally {
    await target.stop();
  }
}

/** Records the product, and checks with a recording of the floor that it does the same. */
async function recordProduct() {
  return using(await startProduct(RECORDER), async (product) => {
    const recording = await record(product, OPERATIONS);
    const ofFloor = (floor) => record(floor, OPERATIONS);
    assertFaithful(OPERATIONS, recording, await using(await startFloor(recording, product.hash, RECORDER), ofFloor));
    return recording;
  });
}

const COLUMNS = ["req/s", "p50", "p95", "p99", "CPU"];
const cells = ({ requests_per_second: rate, latency_ms: { p50, p95, p99 }, cpu_seconds_per_1000: cpu }) =>
  [rate, p50, p95, p99, cpu];

function table(results) {
  const floorColumns = COLUMNS.map((name) => `floor ${name}`);
  const rowOf = ({ operation, connections, product, floor, cpu_ratio: ratio, cpu_ratio_error: error }) =>
    [operation, String(connections), ...cells(product), "|", ...cells(floor), "|", ratio, `± ${number(error)}`];
  return lines([["", "conn.", ...COLUMNS, "|", ...floorColumns, "|", "CPU ratio", ""], ...results.map(rowOf)]);
}

function numberOf(results, operation, connections) {
  const { product } = results.find((result) => result.operation === operation && result.connections === connections);
  return `${product.requests} in ${product.rounds} rounds`;
}

const begun = performance.now();
setTimeout(() => {
  console.error(`Not done after ${LIMIT_MS / 1000} s: given up.`);
  process.exit(1);
}, LIMIT_MS).unref();
console.log("Recording the product's statements, and checking that the floor runs the same …");
const recording = await recordProduct();
console.log("Measuring …");
const results = await using(await startProduct(), async (product) =>
  using(await startFloor(recording, product.hash), (floor) => compare(product, floor, begun + BUDGET_MS)),
);
const around = circumstances();
const file = save("bench.json", { ...around, databases: PLACE, results });
console.log(`
${inWords(around).join("\n")}

${table(results).join("\n")}

Times in ms; CPU: seconds of the workerd process, D1 included, per 1,000 requests. Ratio: product / floor in the same
round, the median of all rounds with its standard error.
Requests: me ${numberOf(results, "me", 1)} and ${numberOf(results, "me", 16)}, login \
${numberOf(results, "login", 1)} and ${numberOf(results, "login", 16)}; the like for those like them.
Passwords are hashed at full cost; limits per address are off; the log, level INFO, goes to a file; databases in \
${PLACE}.
${((performance.now() - begun) / 1000).toFixed(0)} s; all of it in ${file}`);
