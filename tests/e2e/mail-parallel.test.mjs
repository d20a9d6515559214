// One-time proofs under concurrent use: a link, or a code with its flow, serves once, and wrong codes are counted however
// many arrive together. At this level, because only workerd interleaves requests over a real D1. A wrapper of the
// database holds answers back, so that every write comes after all reads.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, changePassword, deleteAccount, from, login, me, newIp, newUser, post, register, signUp } from "./support/client.mjs";
import { eventsOf, inShort, liveSessions, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { HELD, holder } from "./support/held.mjs";
import { forgot, MAILBOX, mailedLink, mails, reset, untilSettled, verify, withMailbox } from "./support/mailbox.mjs";
import { startService } from "./support/service.mjs";

const MANY = 50;
const GUESSES = 5;
const NEW_PASSWORD = "seven green bottles on a wall";
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const passwords = times(MANY, (index) => `${NEW_PASSWORD}, number ${index}`);

let service;
let hold;
before(async () => {
  service = await startService(withMailbox({ wrapper: [MAILBOX, HELD.wrapper], settings: { EMAIL_SIGN_IN: "on" } }));
  hold = holder(service);
});
after(() => service?.stop());

/** A new user after asking for a new password: the account, the flow, and the link and code of the mail. */
async function forgetful() {
  const account = await signUp(service);
  const { status, text, body } = await forgot(service, account.user.email);
  assert.equal(status, 202, text);
  return { ...account, flow: body.flow, ...(await mailedLink(service, account.user.email, "reset")) };
}

/** A new user with the flow of the registration, and the link and code of its mail. */
async function unproven() {
  const user = newUser();
  const { status, text, body } = await register(service, user);
  assert.equal(status, 201, text);
  const mailed = await mailedLink(service, user.email, "verify");
  return { user, id: body.id, access: body.access_token, flow: body.flow, ...mailed };
}

const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");

/** One of them succeeded, and the others were refused; returns the position of that one. */
function oneOf(answers) {
  const winners = [...answers.keys()].filter((index) => answers[index].status === 200);
  assert.equal(winners.length, 1, `${winners.length} of ${answers.length} succeeded`);
  answers.filter(({ status }) => status !== 200).forEach(isRefused);
  return winners[0];
}

/** The two extremes: each has read before any has written, and as they come. */
const ORDERS = {
  "every write after all reads": (starts) => hold.allAtOnce(...starts.map((start) => (at) => start(at(1)))),
  "in one burst": (starts) => Promise.all(starts.map((start) => start({}))),
};

const eventsOfType = async (id, type) => inShort(await eventsOf(service.db, id)).filter((event) => event.startsWith(type));

/** The password of exactly one request was set, every session has ended, and one notice was sent. */
async function assertResetOnce({ user, id }, answers) {
  const winner = oneOf(answers);
  await untilSettled(service);
  assert.deepEqual(await liveSessions(service.db, id), []);
  const withPassword = (password) => login(service, { ...user, password });
  isRefused(await withPassword(passwords[(winner + 1) % MANY]));
  isRefused(await withPassword(user.password));
  assertSuccess(await withPassword(passwords[winner]), 200);
  assert.equal((await eventsOfType(id, "password_reset")).length, 1);
  const notices = (await mails(service)).filter(({ to, subject }) => to === user.email && /was changed/.test(subject));
  assert.equal(notices.length, 1);
}

for (const [order, together] of Object.entries(ORDERS)) {
  describe(`fifty concurrent uses, ${order}:`, () => {
    test("of a link to reset the password", async () => {
      const account = await forgetful();
      const use = (new_password) => (headers) => reset(service, { token: account.token, new_password }, headers);
      await assertResetOnce(account, await together(passwords.map(use)));
    });

    test("of a code with its flow", async () => {
      const account = await forgetful();
      const { flow, code } = account;
      const use = (new_password) => (headers) => reset(service, { flow, code, new_password }, headers);
      await assertResetOnce(account, await together(passwords.map(use)));
    });

    test("of a link and its code, half each", async () => {
      const account = await forgetful();
      const { flow, code, token } = account;
      const proofOf = (index) => (index % 2 ? { token } : { flow, code });
      const use = (new_password, index) => (headers) => reset(service, { ...proofOf(index), new_password }, headers);
      await assertResetOnce(account, await together(passwords.map(use)));
    });

    test("of a link to verify the address", async () => {
      const { id, access, token, flow } = await unproven();
      const use = () => (headers) => verify(service, { token, flow }, headers);
      oneOf(await together(times(MANY, use)));
      assert.deepEqual(await eventsOfType(id, "email_verified"), ["email_verified"]);
      assert.equal((await me(service, access)).body.email_verified, true);
    });

    test("of a code to verify the address", async () => {
      const { id, code, flow } = await unproven();
      const use = () => (headers) => verify(service, { flow, code }, headers);
      oneOf(await together(times(MANY, use)));
      assert.deepEqual(await eventsOfType(id, "email_verified"), ["email_verified"]);
    });
  });
}

/** The code of a mail without a link. */
async function mailedCode(email) {
  await untilSettled(service);
  return (await mails(service)).findLast(({ to }) => to === email).text.match(/^\d{8}$/m)[0];
}

test("fifty concurrent uses of a code sign in once, and of that of a registration make one account", async () => {
  const { user, id } = await signUp(service);
  await untilSettled(service);
  await rows(service.db, "DELETE FROM sessions WHERE user_id = ?1", id);
  const { flow } = (await post(service, "/auth/email/code", { email: user.email }, from(newIp()))).body;
  const code = await mailedCode(user.email);
  const signIn = () => (headers) => post(service, "/auth/email/sign-in", { flow, code }, headers);
  oneOf(await ORDERS["every write after all reads"](times(MANY, signIn)));
  assert.equal((await liveSessions(service.db, id)).length, 1);
  assert.deepEqual(await eventsOfType(id, "signed_in"), ["signed_in mailed_code"]);

  const strict = await startService(withMailbox({ wrapper: [MAILBOX, HELD.wrapper], settings: { EMAIL_VERIFICATION: "required" } }));
  try {
    const person = newUser();
    const asked = await register(strict, person, from(newIp()));
    assertSuccess(asked, 202);
    const mailed = await mailedLink(strict, person.email, "verify");
    const proof = { flow: asked.body.flow, code: mailed.code };
    const held = holder(strict);
    oneOf(await held.allAtOnce(...times(MANY, () => (at) => verify(strict, proof, at(1)))));
    assert.equal((await rows(strict.db, "SELECT id FROM users WHERE email = ?1", person.email)).length, 1);
    assertSuccess(await login(strict, person), 200);
  } finally {
    await strict.stop();
  }
});

/** Codes of the same form, each another one, and none of them right. */
const wrongCodes = (code, count) => times(count, (index) => String((Number(code) + 1 + index) % 1e8).padStart(8, "0"));
const guess = ({ flow }, code) => reset(service, { flow, code, new_password: NEW_PASSWORD });

/** Wrong codes that were counted at the only proof of this user. */
async function failuresOf(id) {
  const sql = "SELECT failures FROM email_proofs WHERE user_id = ?1 AND purpose = 'reset'";
  const [{ failures }] = await rows(service.db, sql, id);
  return failures;
}

describe("wrong codes", () => {
  for (const count of [GUESSES, MANY]) {
    test(`${count} concurrent ones end the flow, and the link stays valid`, async () => {
      const account = await forgetful();
      (await Promise.all(wrongCodes(account.code, count).map((code) => guess(account, code)))).forEach(isRefused);
      assert.equal(await failuresOf(account.id), GUESSES);
      isRefused(await guess(account, account.code));
      assertSuccess(await reset(service, { token: account.token, new_password: NEW_PASSWORD }), 200);
    });
  }

  test("of one fewer than that, the flow takes the right one", async () => {
    const account = await forgetful();
    (await Promise.all(wrongCodes(account.code, GUESSES - 1).map((code) => guess(account, code)))).forEach(isRefused);
    assertSuccess(await guess(account, account.code), 200);
  });
});

describe("a proof that was read before, and used after,", () => {
  test("five wrong codes sets no password", async () => {
    const { flow, code, ...account } = await forgetful();
    const [late] = await hold.stop((at) => reset(service, { flow, code, new_password: NEW_PASSWORD }, at(1)));
    await Promise.all(wrongCodes(code, GUESSES).map((wrong) => guess({ flow }, wrong)));
    await hold.release();
    isRefused(await late);
    assertSuccess(await login(service, account.user), 200);
  });

  test("another reset sets no password", async () => {
    const { token, user } = await forgetful();
    assertSuccess(await forgot(service, user.email), 202);
    const other = await mailedLink(service, user.email, "reset", 2);
    const late = await hold.overtake(
      (at) => reset(service, { token, new_password: passwords[0] }, at),
      () => reset(service, { token: other.token, new_password: NEW_PASSWORD }),
    );
    isRefused(late);
    assertSuccess(await login(service, { ...user, password: NEW_PASSWORD }), 200);
  });

  test("a change of the password sets its own: a thief with the password voids no reset", async () => {
    const { token, user, access } = await forgetful();
    const late = await hold.overtake(
      (at) => reset(service, { token, new_password: passwords[0] }, at),
      () => changePassword(service, access, user.password, NEW_PASSWORD),
    );
    assertSuccess(late, 200);
    isRefused(await login(service, { ...user, password: NEW_PASSWORD }));
    assertSuccess(await login(service, { ...user, password: passwords[0] }), 200);
  });

  test("a change of the password verifies no address", async () => {
    const { token, user, access } = await unproven();
    const [late] = await hold.stop((at) => asUser(service, access, "POST", "/auth/email/verify", { token }, at(1)));
    const { body } = await changePassword(service, access, user.password, NEW_PASSWORD);
    await hold.release();
    isRefused(await late);
    assert.equal((await me(service, body.access_token ?? access)).body.email_verified, false);
  });

  test("the end of the account revives nothing", async () => {
    const { token, user, access } = await forgetful();
    const late = await hold.overtake(
      (at) => reset(service, { token, new_password: NEW_PASSWORD }, at),
      () => deleteAccount(service, access, user.password),
    );
    isRefused(late);
    isRefused(await login(service, { ...user, password: NEW_PASSWORD }));
    await untilSettled(service);
  });
});
