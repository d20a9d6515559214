// Second factors and mail. A mailed code is a first factor like the password. A reset opens no account with an older second
// factor. The owner is told of guesses. At this level, because only workerd interleaves requests over a real D1.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, from, login, newIp, post, signUp } from "./support/client.mjs";
import { liveSessions, rows, throttleOf } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { complete, due, dueTimes, enrol, enrolled, FACTOR_SETTINGS, factorsOf } from "./support/factors.mjs";
import { HELD, holder } from "./support/held.mjs";
import { forgot, MAILBOX, mailedLink, mails, outbox, reset, untilSettled, withMailbox } from "./support/mailbox.mjs";
import { startService } from "./support/service.mjs";
import { decode } from "./support/tokens.mjs";
import { totp, wrongCodes } from "./support/totp.mjs";

const MANY = 50;
const NEW_PASSWORD = "seven green bottles on a wall";
const WEEK_MS = 7 * 24 * 3600 * 1000;
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));

let service;
let hold;
before(async () => {
  const settings = { ...FACTOR_SETTINGS, EMAIL_SIGN_IN: "on" };
  service = await startService(withMailbox({ wrapper: [MAILBOX, HELD.wrapper], settings }));
  hold = holder(service);
});
after(() => service?.stop());

const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
const isDue = (answer) => assertEnvelope(answer, 401, "AUTH_MFA_REQUIRED");
const age = ({ id }) =>
  rows(service.db, "UPDATE totp_secrets SET created_at = created_at - ?2 WHERE user_id = ?1", id, WEEK_MS + 1);
const mailsTo = async ({ user }) => (await mails(service)).filter(({ to }) => to === user.email);

/** A new user with a proven address. */
async function proven() {
  const account = await signUp(service);
  const { token } = await mailedLink(service, account.user.email, "verify");
  assertSuccess(await asUser(service, account.access, "POST", "/auth/email/verify", { token }), 200);
  return account;
}

async function provenWithTotp() {
  const account = await proven();
  return { ...account, ...(await enrolled(service, account)) };
}

/** A flow and its code, mailed to the user. */
async function mailedCode({ user }) {
  const { flow } = (await post(service, "/auth/email/code", { email: user.email }, from(newIp()))).body;
  await untilSettled(service);
  const { text } = (await mails(service)).findLast(({ to }) => to === user.email);
  return { flow, code: text.match(/^\d{8}$/m)[0] };
}

async function mailedReset(account) {
  assertSuccess(await forgot(service, account.user.email), 202);
  return mailedLink(service, account.user.email, "reset");
}

test("an address that is not proven gets no second factor", async () => {
  const account = await signUp(service);
  for (const path of ["/users/me/mfa/totp", "/users/me/passkeys/options"]) {
    assertEnvelope(await asUser(service, account.access, "POST", path, {}), 403, "AUTH_EMAIL_NOT_VERIFIED");
  }
  const { token } = await mailedLink(service, account.user.email, "verify");
  assertSuccess(await asUser(service, account.access, "POST", "/auth/email/verify", { token }), 200);
  assertSuccess(await enrol(service, account.access), 201);
});

describe("a mailed code", () => {
  test("opens nothing without the second factor, and fifty concurrent uses ask for that once", async () => {
    const account = await provenWithTotp();
    const proof = await mailedCode(account);
    const use = (at) => post(service, "/auth/email/sign-in", proof, at(1));
    const answers = await hold.allAtOnce(...times(MANY, () => use));
    const asked = answers.filter(({ body }) => body.error?.code === "AUTH_MFA_REQUIRED");
    assert.equal(asked.length, 1);
    answers.filter((answer) => answer !== asked[0]).forEach(isRefused);
    assert.equal((await liveSessions(service.db, account.id)).length, 1);
    const { mfa_token } = isDue(asked[0]);
    const code = totp(account.secret);
    const seconds = await Promise.all(times(MANY, () => complete(service, { mfa_token, code })));
    const opened = seconds.filter(({ status }) => status === 200);
    assert.equal(opened.length, 1);
    assert.deepEqual(decode(opened[0].body.access_token).claims.amr, ["otp", "mfa"]);
    seconds.filter((answer) => answer !== opened[0]).forEach(isRefused);
  });

  test("and the password give an account's guesses one count", async () => {
    const account = await provenWithTotp();
    const [one, ...wrong] = wrongCodes(account.secret, 6);
    const byCode = isDue(await post(service, "/auth/email/sign-in", await mailedCode(account)));
    isRefused(await complete(service, { mfa_token: byCode.mfa_token, code: one }));
    const byPassword = await due(service, account.user);
    for (const code of wrong) {
      isRefused(await complete(service, { mfa_token: byPassword.mfa_token, code }));
    }
    assert.equal((await throttleOf(service.db, `user/${account.id}/second-factor`)).failures, 6);
  });
});

describe("a new password by mail", () => {
  test("leaves a factor of more than a week in force, and voids a sign-in that waits", async () => {
    const account = await provenWithTotp();
    await age(account);
    const waiting = await due(service, account.user);
    const { token } = await mailedReset(account);
    assertSuccess(await reset(service, { token, new_password: NEW_PASSWORD }), 200);
    isRefused(await complete(service, { mfa_token: waiting.mfa_token, code: totp(account.secret) }));
    const { mfa_token } = isDue(await login(service, { ...account.user, password: NEW_PASSWORD }));
    assertSuccess(await complete(service, { mfa_token, code: totp(account.secret) }), 200);
  });

  test("suspends a younger factor: neither a waiting sign-in nor its codes open anything", async () => {
    const account = await provenWithTotp();
    const waiting = await due(service, account.user);
    const { token } = await mailedReset(account);
    assertSuccess(await reset(service, { token, new_password: NEW_PASSWORD }), 200);
    isRefused(await complete(service, { mfa_token: waiting.mfa_token, code: totp(account.secret) }));
    isRefused(await complete(service, { mfa_token: waiting.mfa_token, recovery_code: account.recovery[0] }));
    const { body } = await login(service, { ...account.user, password: NEW_PASSWORD });
    assert.equal((await factorsOf(service, body.access_token)).body.totp.suspended, true);
    const path = "/users/me/factors/confirm";
    assertSuccess(await asUser(service, body.access_token, "POST", path, {}), 200);
    isDue(await login(service, { ...account.user, password: NEW_PASSWORD }));
  });

  for (const isYoung of [true, false]) {
    test(`overtakes a right code of a factor ${isYoung ? "of today" : "of last week"}`, async () => {
      const account = await provenWithTotp();
      await (isYoung || age(account));
      const { mfa_token } = await due(service, account.user);
      const { token } = await mailedReset(account);
      const late = await hold.overtake(
        (at) => complete(service, { mfa_token, code: totp(account.secret) }, at),
        () => reset(service, { token, new_password: NEW_PASSWORD }),
      );
      isRefused(late);
      assert.deepEqual(await liveSessions(service.db, account.id), []);
    });
  }
});

test("fifty wrong codes at once tell the owner after every fifth one, and the tenth mail of the day waits", async () => {
  const account = await provenWithTotp();
  await untilSettled(service);
  const before = (await mailsTo(account)).length;
  const tokens = await dueTimes(service, account.user, MANY / 5);
  const guesses = wrongCodes(account.secret, MANY).map((code, index) => {
    return (at) => complete(service, { mfa_token: tokens[index % tokens.length].mfa_token, code }, at(1));
  });
  (await hold.allAtOnce(...guesses)).forEach(isRefused);
  await untilSettled(service);
  const told = (await mailsTo(account)).length - before;
  const waiting = (await outbox(service)).filter(({ user_id: id }) => id === account.id);
  // One of the ten notices of the day told of the new app.
  assert.deepEqual([told, waiting.length], [9, 1], `${told} sent`);
  assert.deepEqual(waiting.map(({ kind }) => kind), ["second_factor_refused"]);
});
