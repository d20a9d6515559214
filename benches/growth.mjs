// `make bench-growth`: the cost of login, refresh and me with 1,000 to 1,000,000 users, each with a session, a token and
// an event. Writes a table, dist/bench-growth.json and docs/growth.svg.
//
// One service per size runs during the whole benchmark. Each round measures all of them in turn, so that other load on
// the machine affects every size alike. Every request belongs to another user, spread over the tables. A login runs
// only a few hash rounds here, because the benchmark measures the share of the database.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

import { fillStored } from "./support/crowd.mjs";
import { drawGrowth } from "./support/growth-picture.mjs";
import { drive } from "./support/load.mjs";
import { circumstances, inWords } from "./support/machine.mjs";
import { learnModel } from "./support/model.mjs";
import { get, newWorld, post } from "./support/operations.mjs";
import { emailOf, hashOf, PASSWORD, PRODUCT_TOKENS } from "./support/people.mjs";
import { save } from "./support/results.mjs";
import { median, percentile } from "./support/statistics.mjs";
import { lines } from "./support/table.mjs";
import { PLACE, productModules, startTarget } from "./support/targets.mjs";

const SIZES = [1000, 10_000, 100_000, 1_000_000];
const PASSWORD_ITERATIONS = 100;
const AMOUNT = 100;
const WARM_UP = 1000;
const MAX_ROUNDS = 40;
const MIN_ROUNDS = 3;
/** A round does not start if it would probably end later than this after the start of the benchmark. */
const BUDGET_MS = 150_000;
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
  const nextUser = () => {
    place = (place + STRIDE) % users;
    return place + 1;
  };
  return { ...newWorld(PRODUCT_TOKENS), nextUser, asked: new Map() };
}

async function start(users, model) {
  const state = mkdtempSync(join(PLACE, "edge-auth-growth-"));
  process.once("exit", () => rmSync(state, { recursive: true, force: true }));
  const settings = { PASSWORD_ITERATIONS: String(PASSWORD_ITERATIONS) };
  await (await startTarget(productModules(), { state })).stop();
  fillStored(state, users, { ...model, hash: hashOf(PASSWORD, PASSWORD_ITERATIONS) });
  const target = await startTarget(productModules(), { settings, state, migrate: false });
  return { ...target, users, name: `${users} users`, world: worldOf(users), runs: OPERATIONS.map(() => []) };
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

function summary({ users, runs }) {
  const operations = OPERATIONS.map(({ title }, index) => {
    const latencies = runs[index].flatMap((run) => run.latencies);
    return {
      operation: title,
      requests: latencies.length,
      cpu_seconds_per_1000: median(runs[index].map(({ cpu }) => (cpu / AMOUNT) * 1000)),
      latency_ms: { p50: percentile(latencies, 0.5), p95: percentile(latencies, 0.95) },
    };
  });
  return { users, operations };
}

const begun = performance.now();
const targets = [];
const model = await learnModel();
try {
  for (const users of SIZES) {
    console.log(`Filling a database with ${users} users …`);
    targets.push(await start(users, model));
  }
  console.log("Measuring …");
  await measure(targets, begun + BUDGET_MS);
  const results = targets.map(summary);
  const around = circumstances();
  const file = save("bench-growth.json", { ...around, password_iterations: PASSWORD_ITERATIONS, results });
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
Passwords are hashed with ${PASSWORD_ITERATIONS} rounds only. ${seconds} s; ${file}, ${picture}`);
} finally {
  await Promise.all(targets.map((target) => target.stop()));
}
