// Wrong codes of an authenticator app, many at once: each one counts, waits hold up nothing but codes, and no burst gives more
// guesses than a sequence. At this level, because only workerd interleaves requests over a real D1.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rows, throttleOf } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { complete, due, dueTimes, FACTOR_SETTINGS, stepUp, withTotp } from "./support/factors.mjs";
import { HELD, holder } from "./support/held.mjs";
import { startService } from "./support/service.mjs";
import { totp, wrongCodes } from "./support/totp.mjs";

const MANY = 50;

let service;
let hold;
before(async () => {
  service = await startService({ ...HELD, settings: { ...HELD.settings, ...FACTOR_SETTINGS } });
  hold = holder(service);
});
after(() => service?.stop());

const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
const keyOf = ({ id }, kind = "second-factor") => `user/${id}/${kind}`;
const endWait = (account) => rows(service.db, "UPDATE throttles SET blocked_until = 0 WHERE key = ?1", keyOf(account));

describe("fifty wrong codes at once", () => {
  test("are all counted; then the right code waits, and a recovery code does not", async () => {
    const account = await withTotp(service);
    const tokens = await dueTimes(service, account.user, MANY / 5);
    const wrong = wrongCodes(account.secret, MANY);
    const guess = (code, index) => (at) => complete(service, { mfa_token: tokens[index % tokens.length].mfa_token, code }, at(1));
    (await hold.allAtOnce(...wrong.map(guess))).forEach(isRefused);
    const key = keyOf(account);
    const { failures, blocked_until: end } = await throttleOf(service.db, key);
    assert.equal(failures, MANY);
    assert.ok(end > Date.now() + 14 * 60_000, "the longest wait");
    const { mfa_token } = await due(service, account.user);
    isRefused(await complete(service, { mfa_token, code: totp(account.secret) }));
    assert.equal((await throttleOf(service.db, key)).failures, MANY, "the right code is no guess");
    assertSuccess(await complete(service, { mfa_token, recovery_code: account.recovery[0] }), 200);
    assert.deepEqual(await throttleOf(service.db, key), { failures: 0, blocked_until: 0 });
    const next = await due(service, account.user);
    assertSuccess(await complete(service, { mfa_token: next.mfa_token, code: totp(account.secret) }), 200);
  });

  test("of one token end it, and another token bears the right code after the wait", async () => {
    const account = await withTotp(service);
    const { mfa_token } = await due(service, account.user);
    const guess = (code) => (at) => complete(service, { mfa_token, code }, at(1));
    (await hold.allAtOnce(...wrongCodes(account.secret, MANY).map(guess))).forEach(isRefused);
    const key = keyOf(account);
    assert.equal((await throttleOf(service.db, key)).failures, MANY);
    const [{ failures }] = await rows(service.db, "SELECT failures FROM used_challenges WHERE user_id = ?1", account.id);
    assert.equal(failures, 5);
    isRefused(await complete(service, { mfa_token, recovery_code: account.recovery[0] }));
    await endWait(account);
    isRefused(await complete(service, { mfa_token, code: totp(account.secret) }));
    const next = await due(service, account.user);
    assertSuccess(await complete(service, { mfa_token: next.mfa_token, code: totp(account.secret) }), 200);
  });

  test("overtake a right code that was read before them", async () => {
    const account = await withTotp(service);
    const [own, ...tokens] = await dueTimes(service, account.user, 11);
    const [late] = await hold.stop((at) => complete(service, { mfa_token: own.mfa_token, code: totp(account.secret) }, at(1)));
    const guesses = wrongCodes(account.secret, MANY).map((code, index) => {
      return complete(service, { mfa_token: tokens[index % 10].mfa_token, code });
    });
    (await Promise.all(guesses)).forEach(isRefused);
    // Most of them came during the wait of the sixth, which may be over by now.
    const sql = "UPDATE throttles SET blocked_until = ?1 WHERE key = ?2 AND failures > 5 RETURNING key";
    assert.equal((await rows(service.db, sql, Date.now() + 60_000, keyOf(account))).length, 1);
    await hold.release();
    isRefused(await late);
  });

  test("at step-up do not hold up the sign-in", async () => {
    const account = await withTotp(service);
    const guesses = wrongCodes(account.secret, MANY).map((code) => (at) => stepUp(service, account.access, { code }, at(1)));
    (await hold.allAtOnce(...guesses)).forEach(isRefused);
    assert.equal((await throttleOf(service.db, keyOf(account, "reauthentication"))).failures, MANY);
    isRefused(await stepUp(service, account.access, { code: totp(account.secret) }));
    const { mfa_token } = await due(service, account.user);
    assertSuccess(await complete(service, { mfa_token, code: totp(account.secret) }), 200);
  });
});

test("after a hundred in a row codes are refused for a day, and recovery codes are not", async () => {
  const account = await withTotp(service);
  const guesses = wrongCodes(account.secret, 2 * MANY);
  for (const half of [guesses.slice(0, MANY), guesses.slice(MANY)]) {
    const tokens = await dueTimes(service, account.user, MANY / 5);
    const guess = (code, index) => (at) => complete(service, { mfa_token: tokens[index % 10].mfa_token, code }, at(1));
    (await hold.allAtOnce(...half.map(guess))).forEach(isRefused);
    await endWait(account);
  }
  assert.equal((await throttleOf(service.db, keyOf(account))).failures, 2 * MANY);
  const { mfa_token } = await due(service, account.user);
  isRefused(await complete(service, { mfa_token, code: totp(account.secret) }));
  assertSuccess(await complete(service, { mfa_token, recovery_code: account.recovery[0] }), 200);
});
