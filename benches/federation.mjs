// `make bench-federation`: the CPU and the D1 round trips of each step of a sign-in with a provider, beside those of a sign-in by
// password and of `me`. The password is hashed in one round, so that the hash does not hide the rest. The provider is a server of this
// process, whose CPU does not count; its description and its keys are in the isolate's cache after the warm-up, as in most requests
// of a deployment. Each operation is measured in every round, in direct succession. The provider has a person of its own for each.
import { readFileSync } from "node:fs";

import { federated, newPerson, RETURN_URL } from "../tests/e2e/support/federation.mjs";
import { MAIL_SETTINGS, MAILBOX } from "../tests/e2e/support/mailbox.mjs";
import { cpuSeconds } from "./support/cpu.mjs";
import { LEAN, OPENID, startProviders } from "./support/providers.mjs";
import { errorOfMedian, median } from "./support/statistics.mjs";
import { lines } from "./support/table.mjs";
import { productModules, startTarget } from "./support/targets.mjs";

const ROUNDS = 10;
/** With them, a user that links an identity in each round has no more than twenty. */
const WARM_UP = 2;
/** Requests of one measurement, and users. */
const USERS = 40;
const PASSWORD = "correct horse battery staple";
const GITHUB = "github";

const providers = await startProviders();
const entries = Object.keys(OPENID).map((id) => [id, { issuer: providers.issuerOf(id) }]);
const ofProviders = federated({ ...Object.fromEntries(entries), [GITHUB]: { url: providers.githubUrl } });
const isSet = ([, value]) => value !== undefined;
const others = { PASSWORD_ITERATIONS: "1", RATE_LIMITING: "off", ACCESS_LOG: "finished" };
const settings = { ...Object.fromEntries(Object.entries(ofProviders).filter(isSet)), ...others };
const target = await startTarget(productModules(), { settings });
/** Codes are mailed to a wrapper of the Worker. */
const mailing = await startTarget(productModules(MAILBOX), { settings: { ...settings, ...MAIL_SETTINGS } });
let requests = 0;

async function ask(at, path, { body, access, name = "preparation", method = "POST" } = {}) {
  requests += 1;
  const json = body && { "Content-Type": "application/json" };
  const headers = { ...json, ...(access && { Authorization: `Bearer ${access}` }), "X-Request-ID": `${name}-${requests}` };
  const response = await fetch(at.origin + path, { method, headers, body: body && JSON.stringify(body), redirect: "manual" });
  const text = await response.text();
  return { status: response.status, location: response.headers.get("location"), body: text ? JSON.parse(text) : undefined };
}

async function expect(status, asked) {
  const answer = await asked;
  if (answer.status !== status) {
    throw new Error(`${answer.status} ${JSON.stringify(answer.body)}, not ${status}`);
  }
  return answer;
}

const login = ({ email }, name) => expect(200, ask(target, "/auth/login", { body: { email, password: PASSWORD }, name }));
const start = (at, id, more, options) =>
  expect(200, ask(at, `/auth/federated/${id}`, { body: { return_url: RETURN_URL, ...more }, ...options }));
const callback = (at, path, name) => expect(303, ask(at, path, { method: "GET", name }));
const exchange = (at, status, body, options) => expect(status, ask(at, "/auth/federated/exchange", { body, ...options }));

/** A visit at a provider, up to the code: `{flow, code}`. */
async function returned(at, id, person, more, options) {
  const { body } = await start(at, id, more, options);
  const { location } = await callback(at, providers.visit(id, body.authorize_url, person));
  const code = new URLSearchParams(new URL(location).hash.slice(1)).get("code");
  if (code === null) {
    throw new Error(location);
  }
  return { flow: body.flow, code };
}

async function registered(at, number) {
  const user = { email: `plain${number}@example.com` };
  await expect(201, ask(at, "/auth/register", { body: { ...user, password: PASSWORD } }));
  return user;
}

/** A person that has signed in by this provider before. */
async function known(id, number) {
  const { name, ...person } = newPerson({ id: number + 1 });
  await exchange(target, 200, await returned(target, id, person));
  return person;
}

const all = async (make) => {
  const made = [];
  for (let number = 0; number < USERS; number += 1) {
    made.push(await make(number));
  }
  return made;
};
const plain = await all((number) => registered(target, number));
const holders = await all((number) => registered(mailing, number));
await (await mailing.database()).prepare("UPDATE users SET email_verified_at = 1").run();
const people = {};
for (const id of [...Object.keys(OPENID), GITHUB]) {
  people[id] = await all((number) => known(id, number));
}

const callbackOf = (id) => ({
  users: people[id],
  async prepare(person) {
    const { body } = await start(target, id);
    return providers.visit(id, body.authorize_url, person);
  },
  run: (_, path, name) => callback(target, path, name),
});

const access = async (user) => (await login(user)).body.access_token;

const seenCodes = new Set();

/** The code of the newest mail to an address, which is sent behind a response. */
async function mailedCode(email) {
  for (;;) {
    const { body: mails } = await ask(mailing, "/__mails", { method: "GET" });
    const ofEmail = mails.filter(({ to, subject }) => to === email && subject.includes("provider"));
    const codes = ofEmail.map(({ text }) => text.match(/^\d{8}$/m)[0]).filter((code) => !seenCodes.has(code));
    if (codes.length > 0) {
      seenCodes.add(codes[0]);
      return codes[0];
    }
  }
}

/** The part before the measured request is not measured. */
const OPERATIONS = {
  "password, complete": { users: plain, run: (user, _, name) => login(user, name) },
  me: {
    users: plain,
    prepare: access,
    run: (_, token, name) => expect(200, ask(target, "/users/me", { method: "GET", access: token, name })),
  },
  "start": { users: plain, run: (_, __, name) => start(target, "es256", {}, { name }) },
  "start of a link": {
    users: plain,
    prepare: access,
    run: (_, token, name) => start(target, "es256", { link: true }, { access: token, name }),
  },
  "callback, RS256": callbackOf("rs256"),
  "callback, ES256": callbackOf("es256"),
  "callback, EdDSA": callbackOf("eddsa"),
  "callback, ES256, and the UserInfo endpoint": callbackOf(LEAN),
  "callback, GitHub": callbackOf(GITHUB),
  "exchange, a known person": {
    users: people.es256,
    prepare: (person) => returned(target, "es256", person),
    run: (_, body, name) => exchange(target, 200, body, { name }),
  },
  "exchange, a new account": {
    users: plain,
    prepare: () => returned(target, "es256", newPerson()),
    run: (_, body, name) => exchange(target, 200, body, { name }),
  },
  "exchange of a link": {
    users: plain,
    async prepare(user) {
      const token = await access(user);
      return { token, body: await returned(target, "es256", newPerson(), { link: true }, { access: token }) };
    },
    run: (_, { token, body }, name) => exchange(target, 200, body, { access: token, name }),
  },
  "ID token of an app, ES256": {
    users: people.es256,
    async prepare(person) {
      const { body: { flow, nonce } } = await start(target, "es256", { native: true });
      return { flow, id_token: providers.idToken("es256", nonce, person) };
    },
    run: (_, body, name) => expect(200, ask(target, "/auth/federated/es256/id-token", { body, name })),
  },
  "mailed code": {
    at: mailing,
    users: holders,
    async prepare({ email }) {
      const { body } = await exchange(mailing, 401, await returned(mailing, "es256", newPerson({ email })));
      return { flow: body.error.details.flow, code: await mailedCode(email) };
    },
    run: (_, body, name) => expect(200, ask(mailing, "/auth/federated/confirm", { body, name })),
  },
};
/** Names of requests, which the log repeats. */
const nameOf = (operation) => operation.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_");

/** Milliseconds of CPU for one request. */
async function measure(title, { at = target, users, prepare, run }) {
  // An address gets one mail a minute: none has got any.
  await (await mailing.database()).prepare("DELETE FROM mail_counts").run();
  const prepared = [];
  for (const user of users) {
    prepared.push([user, await prepare?.(user)]);
  }
  const before = cpuSeconds(at.pid);
  for (const [user, made] of prepared) {
    await run(user, made, nameOf(title));
  }
  return ((cpuSeconds(at.pid) - before) * 1000) / users.length;
}

const found = {};
for (let round = -WARM_UP; round < ROUNDS; round += 1) {
  for (const [title, operation] of Object.entries(OPERATIONS)) {
    const cpu = await measure(title, operation);
    if (round >= 0) {
      (found[title] ??= []).push(cpu);
    }
  }
}
const log = [target, mailing].flatMap(({ logFile }) => readFileSync(logFile, "utf8").trim().split("\n"));
await Promise.all([target.stop(), mailing.stop()]);
providers.stop();

/** The numbers of D1 round trips that requests of an operation waited for: each request has one line with it in the log. */
const finished = log.map((line) => JSON.parse(JSON.parse(line).message)).filter(({ d1_calls: calls }) => calls !== undefined);
const trips = (title) => {
  const ofTitle = finished.filter(({ request_id: id }) => id.startsWith(`${nameOf(title)}-`));
  return [...new Set(ofTitle.map(({ d1_calls: calls }) => calls))].join(", ");
};

const [base] = Object.values(found);
const rows = Object.entries(found).map(([title, measured]) => {
  const ratios = measured.map((cpu, round) => cpu / base[round]);
  return [title, `${median(measured).toFixed(2)} ms`, `${median(ratios).toFixed(2)} ± ${errorOfMedian(ratios).toFixed(2)}`, trips(title)];
});
console.log("CPU of the workerd process for a request, with its D1, the ratio to the first line in the same round, and round trips to D1.");
console.log(lines([["", "CPU", "ratio", "D1"], ...rows]).join("\n"));
