// The second step of a sign-in while D1 fails. The answer is a 503, the next attempt succeeds, and no wrong answer is counted
// twice. At this level, because only here are there real timeouts, and a real database that performed a call without an answer.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Authenticator } from "./support/authenticator.mjs";
import { asUser, login, me, signUp } from "./support/client.mjs";
import { eventsOf, inShort, liveSessions, rows, throttleOf } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { complete, confirm, due, enrol, enrolled, FACTOR_SETTINGS, ORIGIN, passkeyOptions } from "./support/factors.mjs";
import { forgetSteps, removeTotp, signInByPasskey, stepUp, withPasskey, withTotp } from "./support/factors.mjs";
import { assertUnavailable, setFaults, startFaulty, until, WRAPPER } from "./support/faults.mjs";
import { made } from "./support/roles.mjs";
import { startService } from "./support/service.mjs";
import { totp, wrongCodes } from "./support/totp.mjs";

const isRepetition = (line) => line.message === "Database call is repeated";
const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
/** The first call of `/auth/mfa` reads, the second one writes. */
const READ = 0;
const WRITE = 1;
/** Calls of an isolate per repetition. */
const CALLS = 10;

/** The breaker stays closed: these tests are about single failures. */
const start = (t, settings) =>
  startFaulty(t, { settings: { ...FACTOR_SETTINGS, BREAKER_FAILURE_THRESHOLD: "1000", ...settings } });
const failing = (service, kind, skip) => setFaults(service, { db: { kind, skip, times: 1 } });
const work = (service) => setFaults(service, { db: { kind: "ok" } });

/** The fates of one call: `[kind, was it performed?]`. */
const FATES = [["never", false], ["before", false], ["silent", true], ["after", true]];

test("the second step answers 503 if D1 fails, and no later attempt is held up", async (t) => {
  const service = await start(t, { D1_TIMEOUT_MS: "2000" });
  for (const [kind, isPerformed] of FATES) {
    for (const [name, skip] of [["read", READ], ["write", WRITE]]) {
      await t.test(`${name}: ${kind}`, async () => {
        const account = await withTotp(service);
        const { mfa_token } = await due(service, account.user);
        const code = totp(account.secret);
        await failing(service, kind, skip);
        assertUnavailable(await complete(service, { mfa_token, code }));
        await work(service);
        const isOpened = isPerformed && skip === WRITE;
        assert.equal((await liveSessions(service.db, account.id)).length, isOpened ? 2 : 1);
        const again = await complete(service, { mfa_token, code });
        isOpened ? isRefused(again) : assertSuccess(again, 200);
        // A new code, as if the next step had come.
        await forgetSteps(service, account.id);
        const next = await due(service, account.user);
        assertSuccess(await complete(service, { mfa_token: next.mfa_token, code: totp(account.secret) }), 200);
        const key = `user/${account.id}/second-factor`;
        assert.deepEqual(await throttleOf(service.db, key), { failures: 0, blocked_until: 0 });
      });
    }
  }
});

test("a stall that opens the breaker ends with it: the same token and a new code sign in", async (t) => {
  const breaker = { BREAKER_FAILURE_THRESHOLD: "5", BREAKER_RECOVERY_TIMEOUT_SECONDS: "1" };
  const service = await start(t, { D1_TIMEOUT_MS: "2000", ...breaker });
  const account = await withTotp(service);
  const { mfa_token } = await due(service, account.user);
  await setFaults(service, { db: { kind: "never" } });
  const attempts = Array.from({ length: 20 }, () => complete(service, { mfa_token, code: totp(account.secret) }));
  (await Promise.all(attempts)).forEach(assertUnavailable);
  await work(service);
  await until("the breaker has closed", async () => (await me(service, account.access)).status === 200);
  assertSuccess(await complete(service, { mfa_token, code: totp(account.secret) }), 200);
});

describe("a batch that is executed twice, as the answer of the first time was lost,", () => {
  let service;
  before(async () => {
    service = await startService({ wrapper: WRAPPER, settings: { ...FACTOR_SETTINGS, BREAKER_FAILURE_THRESHOLD: "1000" } });
  });
  after(() => service?.stop());

  /** The request's write is repeated. Repetitions are saved up before. */
  async function repeated({ access }, request) {
    await Promise.all(Array.from({ length: CALLS }, () => me(service, access)));
    const earlier = service.logs(isRepetition).length;
    await failing(service, "transient", WRITE);
    const response = await request();
    await work(service);
    await service.logged(isRepetition, earlier + 1);
    return response;
  }

  test("opens one session, by each kind of second factor", async () => {
    const account = await withTotp(service);
    const evidence = [{ code: totp(account.secret) }, { recovery_code: account.recovery[0] }];
    for (const [index, factor] of evidence.entries()) {
      const { mfa_token } = await due(service, account.user);
      assertSuccess(await repeated(account, () => complete(service, { mfa_token, ...factor })), 200);
      assert.equal((await liveSessions(service.db, account.id)).length, 2 + index);
    }
    const owner = await withPasskey(service);
    const { flow, options } = await passkeyOptions(service);
    const credential = owner.passkey.get(options);
    assertSuccess(await repeated(owner, () => signInByPasskey(service, flow, credential)), 200);
    assert.equal((await liveSessions(service.db, owner.id)).length, 2);
  });

  test("counts a wrong answer once", async () => {
    const account = await withTotp(service);
    const { mfa_token } = await due(service, account.user);
    const [code] = wrongCodes(account.secret, 1);
    isRefused(await repeated(account, () => complete(service, { mfa_token, code })));
    assert.equal((await throttleOf(service.db, `user/${account.id}/second-factor`)).failures, 1);
    const challenges = await rows(service.db, "SELECT failures FROM used_challenges WHERE user_id = ?1", account.id);
    assert.deepEqual(challenges, [{ failures: 1 }]);
  });

  test("confirms an app, steps up, replaces the recovery codes and removes the app, once each", async () => {
    const account = await signUp(service);
    const { secret } = await made(enrol(service, account.access));
    const confirmed = await made(repeated(account, () => confirm(service, account.access, totp(secret))));
    const signInBy = async ([recovery_code]) => {
      const { mfa_token } = await due(service, account.user);
      assertSuccess(await complete(service, { mfa_token, recovery_code }), 200);
    };
    await signInBy(confirmed.recovery_codes);
    await forgetSteps(service, account.id);
    const stepped = repeated(account, () => stepUp(service, account.access, { code: totp(secret) }));
    const { access_token: fresh } = await made(stepped);
    const path = "/users/me/mfa/recovery-codes";
    const renewed = await made(repeated(account, () => asUser(service, fresh, "POST", path, {})));
    await signInBy(renewed.recovery_codes);
    assert.equal((await repeated(account, () => removeTotp(service, fresh))).status, 204);
    assertEnvelope(await removeTotp(service, fresh), 404, "NOT_FOUND");
    const events = inShort(await eventsOf(service.db, account.id)).filter((event) => /factor|codes/.test(event));
    assert.deepEqual(events, ["factor_added totp", "recovery_codes_replaced", "factor_removed totp"]);
  });

  test("registers a passkey and removes it, once each", async () => {
    const account = await signUp(service);
    const passkey = new Authenticator({ origin: ORIGIN });
    const creation = await made(asUser(service, account.access, "POST", "/users/me/passkeys/options", {}));
    const credential = passkey.create(creation);
    const body = { name: "Key", credential };
    const added = await made(repeated(account, () => {
      return asUser(service, account.access, "POST", "/users/me/passkeys", body);
    }));
    assert.equal(added.recovery_codes.length, 10);
    const { mfa_token, passkey_options: options } = await due(service, account.user);
    const signedIn = await made(complete(service, { mfa_token, passkey: passkey.get(options) }));
    const path = `/users/me/passkeys/${added.id}`;
    const removed = await repeated(account, () => asUser(service, signedIn.access_token, "DELETE", path));
    assert.equal(removed.status, 204);
    assertSuccess(await login(service, account.user), 200);
  });
});

test("an enrolment whose answer was lost can be begun again, and the password alone opens no session", async (t) => {
  const service = await start(t, { D1_TIMEOUT_MS: "2000" });
  const account = await signUp(service);
  const { secret } = await made(enrol(service, account.access));
  await failing(service, "silent", WRITE);
  assertUnavailable(await confirm(service, account.access, totp(secret)));
  await work(service);
  // The app is in force; the recovery codes are lost, and are replaced after a step-up.
  assert.deepEqual((await due(service, account.user)).methods, ["totp", "recovery_code"]);
  await forgetSteps(service, account.id);
  const fresh = await made(stepUp(service, account.access, { code: totp(secret) }));
  const again = await enrolled(service, { ...account, access: fresh.access_token });
  const { mfa_token } = await due(service, account.user);
  assertSuccess(await complete(service, { mfa_token, recovery_code: again.recovery[0] }), 200);
});
