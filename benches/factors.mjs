// `make bench-factors`: the CPU and the D1 round trips of a sign-in by its factors. The password is hashed in one round, so
// that the hash does not hide the rest; with 600,000 rounds each first step that has a password takes the hash's time more.
// Each operation is measured in every round, in direct succession.
import { Authenticator } from "../tests/e2e/support/authenticator.mjs";
import { ORIGIN, PASSKEYS } from "../tests/e2e/support/factors.mjs";
import { totp } from "../tests/e2e/support/totp.mjs";
import { cpuSeconds } from "./support/cpu.mjs";
import { errorOfMedian, median } from "./support/statistics.mjs";
import { lines } from "./support/table.mjs";
import { productModules, startTarget } from "./support/targets.mjs";

const ROUNDS = 10;
const WARM_UP = 2;
/** Requests of one measurement, and users: each signs in once with a code, since a code works once. */
const USERS = 40;
const PASSWORD = "correct horse battery staple";
const settings = { ...PASSKEYS, PASSWORD_ITERATIONS: "1", RATE_LIMITING: "off", ACCESS_LOG: "finished" };
const target = await startTarget(productModules(), { settings });
const database = await target.database();

async function ask(path, body, token) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(new URL(path, target.origin), { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

async function expect(status, asked) {
  const answer = await asked;
  if (answer.status !== status) {
    throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return answer.body;
}

const login = (user, status) => expect(status, ask("/auth/login", { email: user.email, password: PASSWORD }));
/** The token of a sign-in that waits. */
const pending = async (user) => (await login(user, 401)).error.details;

async function registered(kind, number) {
  const user = { email: `${kind}${number}@example.com` };
  const { access_token: access } = await expect(201, ask("/auth/register", { ...user, password: PASSWORD }));
  return { ...user, access };
}

async function withApp(number) {
  const user = await registered("app", number);
  const { secret } = await expect(201, ask("/users/me/mfa/totp", {}, user.access));
  await expect(200, ask("/users/me/mfa/totp/confirm", { code: totp(secret) }, user.access));
  return { ...user, secret };
}

async function withPasskey(number, algorithm) {
  const user = await registered(`key${algorithm}`, number);
  const authenticator = new Authenticator({ algorithm, origin: ORIGIN });
  const options = await expect(200, ask("/users/me/passkeys/options", {}, user.access));
  const credential = authenticator.create(options);
  await expect(201, ask("/users/me/passkeys", { name: "Key", credential }, user.access));
  return { ...user, authenticator };
}

const numbers = Array.from({ length: USERS }, (_, number) => number);
const all = async (make) => {
  const made = [];
  for (const number of numbers) {
    made.push(await make(number));
  }
  return made;
};
const plain = await all((number) => registered("plain", number));
const apps = await all(withApp);
const keys = { EdDSA: await all((number) => withPasskey(number, "EdDSA")), ES256: await all((number) => withPasskey(number, "ES256")) };

const passkeySignIn = (algorithm) => ({
  users: keys[algorithm],
  async prepare({ authenticator }) {
    const { flow, options } = await expect(200, ask("/auth/passkey/options", {}));
    return { flow, credential: authenticator.get(options) };
  },
  run: (_, body) => expect(200, ask("/auth/passkey", body)),
});

/** The part before the measured request is not measured. */
const OPERATIONS = {
  "password, complete": { users: plain, run: (user) => login(user, 200) },
  "password, a factor is due": { users: apps, run: (user) => login(user, 401) },
  "code of an app": {
    users: apps,
    prepare: async (user) => ({ mfa_token: (await pending(user)).mfa_token, code: totp(user.secret) }),
    run: (_, body) => expect(200, ask("/auth/mfa", body)),
  },
  "passkey alone, EdDSA": passkeySignIn("EdDSA"),
  "passkey alone, ES256": passkeySignIn("ES256"),
  "passkey as second factor, ES256": {
    users: keys.ES256,
    async prepare(user) {
      const { mfa_token, passkey_options: options } = await pending(user);
      return { mfa_token, passkey: user.authenticator.get(options) };
    },
    run: (_, body) => expect(200, ask("/auth/mfa", body)),
  },
};

/** Milliseconds of CPU for one request. */
async function measure({ users, prepare, run }) {
  // A code of the same step is valid again, since nothing else than the time is to be left out.
  await database.prepare("UPDATE totp_secrets SET used_step = NULL").run();
  const prepared = [];
  for (const user of users) {
    prepared.push([user, await prepare?.(user)]);
  }
  const before = cpuSeconds(target.pid);
  for (const [user, body] of prepared) {
    await run(user, body);
  }
  return ((cpuSeconds(target.pid) - before) * 1000) / users.length;
}

const found = {};
for (let round = -WARM_UP; round < ROUNDS; round += 1) {
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    const cpu = await measure(operation);
    if (round >= 0) {
      (found[name] ??= []).push(cpu);
    }
  }
}
await target.stop();
const [base] = Object.values(found);
const rows = Object.entries(found).map(([name, measured]) => {
  const ratios = measured.map((cpu, round) => cpu / base[round]);
  return [name, `${median(measured).toFixed(2)} ms`, `${median(ratios).toFixed(2)} ± ${errorOfMedian(ratios).toFixed(2)}`];
});
console.log("CPU of the workerd process for a request, with its D1, and the ratio to the first line in the same round.");
console.log(lines([["", "CPU", "ratio"], ...rows]).join("\n"));
