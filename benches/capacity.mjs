// `make bench-capacity`: how many refreshes one local D1 bears, and how many bytes a session leaves in it. Writes two
// tables, and dist/bench-capacity.json.
//
// Throughput is saturated: each connection sends its next refresh as soon as the last is answered, and each refresh
// belongs to another of SESSIONS sessions. The database lies on disk. The floor beside it sends the same statements and
// does nothing else, so it is close to the limit of D1 alone. Service and load share the machine.
//
// Bytes are whole pages of the file, before and after real logins and refreshes. They do not depend on time, so no clock
// is moved: a life of 30 days is arithmetic. With one refresh a day a session is a login, its first refresh, which may
// fill columns for the first time, and 29 more. A user and year are 365 / 30 such sessions. Less than that stays,
// because the clean-up removes a row when it is no longer needed (KEPT_DAYS).
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fillStored } from "./support/crowd.mjs";
import { drive } from "./support/load.mjs";
import { circumstances, inWords } from "./support/machine.mjs";
import { learnModel } from "./support/model.mjs";
import { newWorld, OPERATIONS, post } from "./support/operations.mjs";
import { emailOf, fill, FLOOR_TOKENS, hashOf, PASSWORD, PRODUCT_TOKENS, USERS } from "./support/people.mjs";
import { record, RECORDER } from "./support/recording.mjs";
import { save } from "./support/results.mjs";
import { growthOf, sizesOf } from "./support/sizes.mjs";
import { percentile } from "./support/statistics.mjs";
import { lines } from "./support/table.mjs";
import { productModules, replayModules, startTarget } from "./support/targets.mjs";

const SESSIONS = 2000;
/** Refreshes per number of connections. */
const LEVELS = { 1: 400, 16: 3000, 64: 3000 };
const LOGIN_CONNECTIONS = 16;
const PASSWORD_ITERATIONS = 1;
const SESSION_DAYS = 30;
const YEAR_DAYS = 365;
/** By default: a session until its end, a refresh token until it expires, an event until its retention ends. */
const KEPT_DAYS = { sessions: SESSION_DAYS, refresh_tokens: 7, audit_events: 90 };
/** A network of a user has one row, however often the user signs in from there. */
const ONCE = ["throttles"];
const D1_BYTES = 10e9;

function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), "edge-auth-capacity-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function using(target, use) {
  try {
    return await use(target);
  } finally {
    await target.stop();
  }
}

/** The next token of a queue; a connection puts the successor at its end. */
const refreshes = (queue) => ({
  title: "refresh",
  status: 200,
  request: () => post("/auth/refresh", { refresh_token: queue.shift() }),
  answered: (world, connection, body) => queue.push(JSON.parse(body).refresh_token),
});

const firstRefreshes = (target, queue) => {
  return drive(target, refreshes(queue), { connections: LOGIN_CONNECTIONS, amount: SESSIONS });
};

/** The saturated throughput at each level. */
async function throughput(target, queue) {
  const results = [];
  for (const [level, amount] of Object.entries(LEVELS)) {
    const connections = Number(level);
    const { seconds, latencies, cpu } = await drive(target, refreshes(queue), { connections, amount });
    const [p50, p95] = [percentile(latencies, 0.5), percentile(latencies, 0.95)];
    results.push({ connections, per_second: amount / seconds, p50, p95, cpu_seconds_per_1000: (cpu / amount) * 1000 });
  }
  return results;
}

/** Real logins and refreshes on a database that has only users; the sizes between them. */
async function liveThrough() {
  const state = newFolder();
  const options = { state, settings: { PASSWORD_ITERATIONS: String(PASSWORD_ITERATIONS) } };
  await (await startTarget(productModules(), options)).stop();
  fillStored(state, SESSIONS, { inserts: [], hash: hashOf(PASSWORD, PASSWORD_ITERATIONS) });
  const running = async (use) => {
    const target = await startTarget(productModules(), { ...options, migrate: false });
    return using({ ...target, name: "product", world: newWorld(PRODUCT_TOKENS) }, use);
  };
  const queue = [];
  const sizes = [sizesOf(state)];
  await running(async (target) => {
    await drive(target, logins(queue), { connections: LOGIN_CONNECTIONS, amount: SESSIONS });
    await firstRefreshes(target, queue);
  });
  sizes.push(sizesOf(state));
  const rates = await running((target) => throughput(target, queue));
  sizes.push(sizesOf(state));
  const count = Object.values(LEVELS).reduce((sum, amount) => sum + amount);
  return { rates, opening: growthOf(sizes[0], sizes[1], SESSIONS), refresh: growthOf(sizes[1], sizes[2], count) };
}

/** One login of each user. */
const logins = (queue) => {
  let user = 0;
  return {
    title: "login",
    status: 200,
    request: () => {
      user += 1;
      return post("/auth/login", { email: emailOf(user), password: PASSWORD });
    },
    answered: (world, connection, body) => queue.push(JSON.parse(body).refresh_token),
  };
};

async function floorRates(model) {
  const REFRESH = OPERATIONS.filter(({ id }) => id === "refresh");
  const started = async (modules, options) => {
    const target = await startTarget(modules, options);
    await fill(await target.database(), model);
    return target;
  };
  const recording = await using(await started(productModules(RECORDER)), (target) => {
    return record({ ...target, world: newWorld(PRODUCT_TOKENS) }, REFRESH);
  });
  const settings = { TOKEN_LENGTH: String(PRODUCT_TOKENS.refresh(1).length) };
  const modules = replayModules("floor-worker.mjs", recording);
  return using(await started(modules, { settings, state: newFolder() }), async (target) => {
    const queue = Array.from({ length: USERS }, (_, index) => FLOOR_TOKENS.refresh(index + 1));
    const floor = { ...target, name: "floor" };
    await firstRefreshes(floor, queue);
    return throughput(floor, queue);
  });
}

/** Bytes per table: of an opened session, of a further refresh, and with one refresh a day over time. */
function storageOf({ opening, refresh }) {
  const tables = [...new Set([...Object.keys(opening), ...Object.keys(refresh)])].sort();
  return tables.map((table) => {
    const [once, daily] = [opening[table] ?? 0, refresh[table] ?? 0];
    const session = once + daily * (SESSION_DAYS - 1);
    const days = ONCE.includes(table) ? SESSION_DAYS : (KEPT_DAYS[table] ?? YEAR_DAYS);
    return {
      table,
      login_and_first_refresh: once,
      further_refresh: daily,
      session_of_30_days: session,
      written_per_user_and_year: (session / SESSION_DAYS) * YEAR_DAYS,
      kept_days: days,
      kept_per_user: (session / SESSION_DAYS) * days,
    };
  });
}

const totalOf = (storage, member) => storage.reduce((sum, row) => sum + row[member], 0);
const whole = (value) => Math.round(value).toLocaleString("en");

function storageTable(storage) {
  const members = [
    "login_and_first_refresh",
    "further_refresh",
    "session_of_30_days",
    "written_per_user_and_year",
    "kept_days",
    "kept_per_user",
  ];
  const rows = storage.map((row) => [row.table, ...members.map((member) => whole(row[member]))]);
  const total = members.map((member) => (member === "kept_days" ? "" : whole(totalOf(storage, member))));
  const heading = ["bytes", "login + refresh", "refresh", "30 days", "user and year", "days kept", "kept per user"];
  return lines([heading, ...rows, ["all", ...total]]);
}

function ratesTable(product, floor) {
  const cells = ({ per_second: rate, p50, p95, cpu_seconds_per_1000: cpu }) => [rate, p50, p95, cpu];
  const rows = product.map((ours, index) => [String(ours.connections), ...cells(ours), "|", ...cells(floor[index])]);
  const columns = ["refreshes/s", "p50", "p95", "CPU"];
  return lines([["conn.", ...columns, "|", ...columns.map((name) => `floor ${name}`)], ...rows]);
}

const begun = performance.now();
console.log("Signing in and refreshing …");
const lived = await liveThrough();
console.log("The same statements without the service …");
const floor = await floorRates(await learnModel());
const storage = storageOf(lived);
const users = D1_BYTES / totalOf(storage, "kept_per_user");
const around = circumstances();
const results = { rates: { product: lived.rates, floor }, storage, users_in_10_gb: users };
const file = save("bench-capacity.json", { ...around, database: tmpdir(), sessions: SESSIONS, ...results });
console.log(`
${inWords(around).join("\n")}

${ratesTable(lived.rates, floor).join("\n")}

Times in ms; CPU: seconds of the workerd process, D1 included, per 1,000 refreshes. Saturated: each connection sends its
next refresh at once. ${SESSIONS} sessions, database in ${tmpdir()}.

${storageTable(storage).join("\n")}

Whole pages, indexes included. One refresh a day; 10 GB hold the sessions and events of ${whole(users)} such users.
${((performance.now() - begun) / 1000).toFixed(0)} s; ${file}`);
