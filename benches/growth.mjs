// `make bench-growth`: the cost of login, refresh and me with 1,000 to 1,000,000 users, each with a session, a token and
// an event, and of the second floor: half of the users have factors, identities and keys (`growth/rows.mjs`). Writes two
// tables, dist/bench-growth.json and docs/growth.svg.
//
// One service per size runs during the whole benchmark. Each round measures all of them in turn, so that other load on
// the machine affects every size alike. Every request belongs to another user, spread over the tables. A login runs
// only a few hash rounds here, because the benchmark measures the share of the database.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

import { PASSKEYS } from "../tests/e2e/support/factors.mjs";
import { federated } from "../tests/e2e/support/federation.mjs";
import { MAIL_SETTINGS, MAILBOX } from "../tests/e2e/support/mailbox.mjs";
import { OPERATIONS as SECOND_FLOOR } from "./growth/operations.mjs";
import { equip } from "./growth/people.mjs";
import { fillSecondFloor } from "./growth/rows.mjs";
import { cpuSeconds } from "./support/cpu.mjs";
import { fillStored } from "./support/crowd.mjs";
import { drawGrowth } from "./support/growth-picture.mjs";
import { drive } from "./support/load.mjs";
import { circumstances, inWords } from "./support/machine.mjs";
import { learnModel } from "./support/model.mjs";
import { get, newWorld, post } from "./support/operations.mjs";
import { emailOf, hashOf, PASSWORD, PRODUCT_TOKENS } from "./support/people.mjs";
import { startProviders } from "./support/providers.mjs";
import { save } from "./support/results.mjs";
import { bytesPerRow } from "./support/sizes.mjs";
import { median, percentile } from "./support/statistics.mjs";
import { lines } from "./support/table.mjs";
import { PLACE, productModules, startTarget } from "./support/targets.mjs";

const SIZES = (process.env.SIZES ?? "1000,10000,100000,1000000").split(",").map(Number);
const PASSWORD_ITERATIONS = 100;
const AMOUNT = 100;
const WARM_UP = 1000;
const MAX_ROUNDS = 40;
const MIN_ROUNDS = 3;
/** Of the second floor; the first one warms up. */
const FLOOR_ROUNDS = 6;
/** A round does not start if it would probably end later than this after the first one. */
const BUDGET_MS = Number(process.env.BUDGET_MS ?? 90_000);
/** Coprime to all sizes, so every user occurs once before any repeats, and neighbours never follow each other. */
const STRIDE = 382_951;

const OPERATIONS = [
  {
    title: "login",
    status: 200,
    request: ({ nextUser }) => post("/auth/login", { email: emailOf(nextUser()), password: PASSWORD }),
  },
  {
    title: "refresh",
    status: 200,
    request: ({ nextUser, newest, tokens, asked }, connection) => {
      const user = nextUser();
      asked.set(connection, user);
      return post("/auth/refresh", { refresh_token: newest.get(user) ?? tokens.refresh(user) });
    },
    answered: ({ newest, asked }, connection, body) => {
      newest.set(asked.get(connection), JSON.parse(body).refresh_token);
    },
  },
  {
    title: "me",
    status: 200,
    request: ({ nextUser, tokens }) => get("/users/me", { Authorization: `Bearer ${tokens.access(nextUser())}` }),
  },
];

/** The users of a service of this size. */
function worldOf(users) {
  let place = 0;
  // Users with odd numbers have nothing of the second floor.
  const nextUser = () => {
    place = (place + STRIDE) % (users / 2);
    return 2 * place + 1;
  };
  return { ...newWorld(PRODUCT_TOKENS), nextUser, asked: new Map() };
}

const settingsOf = (providers) => ({
  ...federated({ es256: { issuer: providers.issuerOf("es256") } }),
  ...PASSKEYS,
  ...MAIL_SETTINGS,
  MAIL_PER_HOUR: "1000000",
  REGISTRATIONS_PER_HOUR: "1000000",
  PASSWORD_ITERATIONS: String(PASSWORD_ITERATIONS),
});

async function start(users, model, providers) {
  const state = mkdtempSync(join(PLACE, "edge-auth-growth-"));
  process.once("exit", () => rmSync(state, { recursive: true, force: true }));
  const settings = Object.fromEntries(Object.entries(settingsOf(providers)).filter(([, value]) => value !== undefined));
  await (await startTarget(productModules(), { state })).stop();
  fillStored(state, users, { ...model, hash: hashOf(PASSWORD, PASSWORD_ITERATIONS) });
  fillSecondFloor(state, users);
  const bytes = users === SIZES.at(-1) ? bytesPerRow(state) : undefined;
  const target = await startTarget(productModules(MAILBOX), { settings, state, migrate: false });
  const named = { ...target, users, name: `${users} users`, world: worldOf(users), providers, bytes };
  return { ...named, runs: OPERATIONS.map(() => []), floorRuns: SECOND_FLOOR.map(() => []) };
}

async function measure(targets, deadline) {
  for (const target of targets) {
    for (const operation of OPERATIONS) {
      await drive(target, operation, { connections: 1, amount: WARM_UP });
    }
  }
  let longest = 0;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const roundBegun = performance.now();
    if (round >= MIN_ROUNDS && roundBegun + longest > deadline) {
      return;
    }
    for (const [index, operation] of OPERATIONS.entries()) {
      for (const target of round % 2 === 0 ? targets : targets.toReversed()) {
        target.runs[index].push(await drive(target, operation, { connections: 1, amount: AMOUNT }));
      }
    }
    longest = Math.max(longest, performance.now() - roundBegun);
  }
}

/** One run of an operation of the second floor, one request after another. */
async function driveOne(target, { items, run }) {
  const prepared = await items({ ...target, target });
  const latencies = [];
  const cpuBefore = cpuSeconds(target.pid);
  for (const item of prepared) {
    const begun = performance.now();
    await run(target, item);
    latencies.push(performance.now() - begun);
  }
  return { cpu: cpuSeconds(target.pid) - cpuBefore, latencies };
}

async function measureSecondFloor(targets) {
  for (const target of targets) {
    target.database = await target.database();
    target.people = await equip({ ...target, database: () => target.database }, target.users, target.providers);
  }
  for (let round = 0; round < FLOOR_ROUNDS; round += 1) {
    for (const [index, operation] of SECOND_FLOOR.entries()) {
      for (const target of round % 2 === 0 ? targets : targets.toReversed()) {
        const run = await driveOne(target, operation);
        target.floorRuns[index].push(...(round > 0 ? [run] : []));
      }
    }
  }
}

function figures(operations, runs) {
  return operations.map(({ title }, index) => {
    const latencies = runs[index].flatMap((run) => run.latencies);
    return {
      operation: title,
      requests: latencies.length,
      cpu_seconds_per_1000: median(runs[index].map((run) => (run.cpu / run.latencies.length) * 1000)),
      latency_ms: { p50: percentile(latencies, 0.5), p95: percentile(latencies, 0.95) },
    };
  });
}

const summary = ({ users, runs, floorRuns }) => {
  return { users, operations: figures(OPERATIONS, runs), second_floor: figures(SECOND_FLOOR, floorRuns) };
};

/** A line for each operation of the second floor, and the CPU and the median time of each size. */
function floorTable(results) {
  const heading = ["", ...results.flatMap(({ users }) => [`${users.toLocaleString("en")}: CPU`, "p50"])];
  const rows = SECOND_FLOOR.map(({ title }, index) => {
    const cells = results.map(({ second_floor: floor }) => [floor[index].cpu_seconds_per_1000, floor[index].latency_ms.p50]);
    return [title, ...cells.flat()];
  });
  return lines([heading, ...rows]);
}

const begun = performance.now();
const targets = [];
const model = await learnModel();
const providers = await startProviders();
try {
  for (const users of SIZES) {
    console.log(`Filling a database with ${users} users …`);
    targets.push(await start(users, model, providers));
  }
  console.log("Measuring …");
  await measure(targets, performance.now() + BUDGET_MS);
  console.log("Measuring the second floor …");
  await measureSecondFloor(targets);
  const results = targets.map(summary);
  const around = circumstances();
  const { bytes } = targets.at(-1);
  const file = save("bench-growth.json", { ...around, password_iterations: PASSWORD_ITERATIONS, bytes_per_row: bytes, results });
  const picture = drawGrowth(results);
  const heading = ["users", ...OPERATIONS.flatMap(({ title }) => [`${title} CPU`, "p50", "p95"])];
  const rows = results.map(({ users, operations }) => {
    const cells = ({ cpu_seconds_per_1000: cpu, latency_ms: { p50, p95 } }) => [cpu, p50, p95];
    return [users.toLocaleString("en"), ...operations.flatMap(cells)];
  });
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  console.log(`
${inWords(around).join("\n")}

${lines([heading, ...rows], []).join("\n")}

Times in ms; CPU: seconds of the workerd process per 1,000 requests. One connection, of each operation \
${results[0].operations[0].requests} requests.

${floorTable(results).join("\n")}

One request after another, of each operation ${results[0].second_floor[0].requests}; the account page is six requests.
Bytes for each row with ${SIZES.at(-1).toLocaleString("en")} users, indexes included: \
${Object.entries(bytes).map(([table, each]) => `${table} ${Math.round(each)}`).join(", ")}.
Passwords are hashed with ${PASSWORD_ITERATIONS} rounds only. ${seconds} s; ${file}, ${picture}`);
} finally {
  providers.stop();
  await Promise.all(targets.map((target) => target.stop()));
}
