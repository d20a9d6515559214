// `make bench-signing`: the CPU of a request by the algorithm that signs access tokens, and of an introspection. One Worker
// for each algorithm, each on its own workerd; a round measures every operation once on each of them, in direct succession.
import { request } from "node:http";

import { cpuSeconds } from "./support/cpu.mjs";
import { errorOfMedian, median } from "./support/statistics.mjs";
import { lines } from "./support/table.mjs";
import { productModules, startTarget } from "./support/targets.mjs";

const ALGORITHMS = ["HS256", "EdDSA", "ES256"];
const ROUNDS = 12;
const WARM_UP = 3;
/** Requests of one measurement. A login computes a password hash of 600,000 rounds. */
const AMOUNTS = { me: 200, refresh: 200, login: 6, introspect: 200 };
const USER = { email: "ada@example.com", password: "correct horse battery staple" };

function send(target, method, path, headers, body) {
  const { hostname, port } = new URL(target.origin);
  const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, path, method, headers: { ...headers, ...length } }, (incoming) => {
      const chunks = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        if (incoming.statusCode >= 300) {
          reject(new Error(`${method} ${path}: ${incoming.statusCode} ${text}`));
        } else {
          resolve(JSON.parse(text));
        }
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

const post = (target, path, value) =>
  send(target, "POST", path, { "Content-Type": "application/json" }, JSON.stringify(value));
const bearer = (token) => ({ Authorization: `Bearer ${token}` });

const OPERATIONS = {
  me: (target) => send(target, "GET", "/users/me", bearer(target.access)),
  async refresh(target) {
    ({ access_token: target.access, refresh_token: target.refresh } = await post(target, "/auth/refresh", {
      refresh_token: target.refresh,
    }));
  },
  login: (target) => post(target, "/auth/login", USER),
  introspect: (target) =>
    send(target, "POST", "/oauth/introspect", { "Content-Type": "application/x-www-form-urlencoded", ...bearer(target.key) }, `token=${target.access}`),
};

/** A Worker with an administrator of the platform and a service account. */
async function start(algorithm) {
  const target = await startTarget(productModules(), { settings: { ALGORITHM: algorithm, ACCESS_TOKEN_EXPIRE_MINUTES: "600" } });
  const registered = await post(target, "/auth/register", USER);
  Object.assign(target, { algorithm, access: registered.access_token, refresh: registered.refresh_token });
  const database = await target.database();
  const appoint = "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1)";
  await database.prepare(appoint).run();
  const headers = { "Content-Type": "application/json", ...bearer(target.access) };
  const account = JSON.stringify({ name: "Bench", scopes: ["introspect"] });
  ({ key: target.key } = await send(target, "POST", "/admin/service-accounts", headers, account));
  return target;
}

/** Milliseconds of CPU for one request. */
async function measure(target, operation) {
  const before = cpuSeconds(target.pid);
  for (let count = 0; count < AMOUNTS[operation]; count += 1) {
    await OPERATIONS[operation](target);
  }
  return ((cpuSeconds(target.pid) - before) * 1000) / AMOUNTS[operation];
}

const targets = [];
for (const algorithm of (process.env.ONLY ?? ALGORITHMS.join()).split(",")) {
  targets.push(await start(algorithm));
}
const found = {};
for (let round = -WARM_UP; round < ROUNDS; round += 1) {
  for (const operation of Object.keys(OPERATIONS)) {
    for (const target of round % 2 === 0 ? targets : targets.toReversed()) {
      const cpu = await measure(target, operation);
      if (round >= 0) {
        ((found[operation] ??= {})[target.algorithm] ??= []).push(cpu);
      }
    }
  }
}
await Promise.all(targets.map((target) => target.stop()));
const names = targets.map(({ algorithm }) => algorithm);
const [base] = names;
/** The median, and the median of the ratios to the first column of the same round, with its standard error. */
const cell = (measured, bases) => {
  const ratios = measured.map((cpu, round) => cpu / bases[round]);
  return `${median(measured).toFixed(2)} ms (${median(ratios).toFixed(2)} ± ${errorOfMedian(ratios).toFixed(2)})`;
};
const rows = Object.entries(found).map(([operation, byAlgorithm]) => [
  operation,
  ...names.map((name) => cell(byAlgorithm[name], byAlgorithm[base])),
]);
console.log("CPU of the workerd process for a request, with its D1; in brackets the ratio to the first column in the same round.");
console.log(lines([["", ...names], ...rows]).join("\n"));
