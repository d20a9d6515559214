// Second factors under concurrent use: a code, a recovery code, an assertion and an `mfa_token` open one session each,
// however many requests bring them together. At this level, because only workerd interleaves requests over a real D1. A
// wrapper of the database holds answers back, so that every write comes after all reads.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { eventsOf, inShort, liveSessions, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { complete, due, dueTimes, FACTOR_SETTINGS, factorsOf, passkeyOptions } from "./support/factors.mjs";
import { signInByPasskey, stepUp, stepUpOptions, validCodes, withPasskey, withTotp } from "./support/factors.mjs";
import { HELD, holder, orders } from "./support/held.mjs";
import { made } from "./support/roles.mjs";
import { startService } from "./support/service.mjs";
import { totp } from "./support/totp.mjs";

const MANY = 50;
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));

let service;
let inOrder;
before(async () => {
  service = await startService({ ...HELD, settings: { ...HELD.settings, ...FACTOR_SETTINGS } });
  inOrder = orders(holder(service));
});
after(() => service?.stop());

const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");

/** One of them succeeded, and the others were refused; returns the success. */
function oneOf(answers) {
  const [success, ...others] = answers.toSorted((one, other) => one.status - other.status);
  assertSuccess(success, 200);
  others.forEach(isRefused);
  return success;
}

/** Exactly one session was opened, beside that of the registration, and it is one event. */
async function assertOneSession({ id }, factor) {
  assert.equal((await liveSessions(service.db, id)).length, 2);
  const events = inShort(await eventsOf(service.db, id));
  assert.deepEqual(events.filter((event) => event.startsWith("signed_in")), [`signed_in ${factor}`]);
}

for (const order of ["every write after all reads", "in one burst"]) {
  const together = (...starts) => inOrder[order](...starts);
  describe(`concurrently, ${order}:`, () => {
    test("one code with fifty tokens opens one session", async () => {
      const account = await withTotp(service);
      const tokens = await dueTimes(service, account.user, MANY);
      const code = totp(account.secret);
      oneOf(await together(tokens.map(({ mfa_token }) => (headers) => complete(service, { mfa_token, code }, headers))));
      await assertOneSession(account, "totp");
    });

    test("one token with fifty right codes, of three steps, opens one session", async () => {
      const account = await withTotp(service);
      const { mfa_token } = await due(service, account.user);
      const codes = validCodes(account.secret);
      const use = (index) => (headers) => complete(service, { mfa_token, code: codes[index % codes.length] }, headers);
      oneOf(await together(times(MANY, use)));
      await assertOneSession(account, "totp");
    });

    test("one recovery code with fifty tokens opens one session", async () => {
      const account = await withTotp(service);
      const tokens = await dueTimes(service, account.user, MANY);
      const [recovery_code] = account.recovery;
      const use = ({ mfa_token }) => (headers) => complete(service, { mfa_token, recovery_code }, headers);
      oneOf(await together(tokens.map(use)));
      await assertOneSession(account, "recovery_code");
    });

    test("one token with ten recovery codes opens one session, and nine codes are left", async () => {
      const account = await withTotp(service);
      const { mfa_token } = await due(service, account.user);
      const use = (recovery_code) => (headers) => complete(service, { mfa_token, recovery_code }, headers);
      oneOf(await together(account.recovery.map(use)));
      await assertOneSession(account, "recovery_code");
      assert.equal((await made(factorsOf(service, account.access))).recovery_codes_left, 9);
    });

    test("one code at sign-in and step-up counts once", async () => {
      const account = await withTotp(service);
      const tokens = await dueTimes(service, account.user, 10);
      const code = totp(account.secret);
      const signIns = tokens.map(({ mfa_token }) => (headers) => complete(service, { mfa_token, code }, headers));
      const stepUps = times(10, () => (headers) => stepUp(service, account.access, { code }, headers));
      oneOf(await together([...signIns, ...stepUps]));
    });

    test("one assertion of a passkey opens one session: alone, and as a second factor", async () => {
      const account = await withPasskey(service);
      const { flow, options } = await passkeyOptions(service);
      const alone = account.passkey.get(options);
      oneOf(await together(times(20, () => (headers) => signInByPasskey(service, flow, alone, headers))));
      await assertOneSession(account, "passkey");
      await rows(service.db, "DELETE FROM sessions WHERE user_id = ?1 AND method IS NOT NULL", account.id);
      const { mfa_token, passkey_options: second } = await due(service, account.user);
      const passkey = account.passkey.get(second);
      oneOf(await together(times(20, () => (headers) => complete(service, { mfa_token, passkey }, headers))));
      assert.equal((await liveSessions(service.db, account.id)).length, 2);
    });

    test("one assertion of a passkey steps up once", async () => {
      const account = await withPasskey(service);
      const { passkey_options: options } = await stepUpOptions(service, account.access);
      const passkey = account.passkey.get(options);
      // The caller is the first question, the state of the factor the second.
      oneOf(await together(times(20, () => (headers) => stepUp(service, account.access, { passkey }, headers)), 2));
    });
  });
}
