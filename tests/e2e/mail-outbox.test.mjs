// The outbox when the sender or the database fails: no mail is lost, none is sent without its cause, and a request never
// waits for the sender. At this level, because only workerd runs tasks behind a response, and the Cron Trigger.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asUser, changePassword, me, newUser, register, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { assertUnavailable, batches, setFaults, startFaulty, until, WRAPPER } from "./support/faults.mjs";
import { logged } from "./support/logs.mjs";
import { forgot, MAILBOX, mailedLink, mails, outbox, reset } from "./support/mailbox.mjs";
import { sendMails, setMailbox, untilSettled, verify, withMailbox } from "./support/mailbox.mjs";
import { platformAdmin } from "./support/roles.mjs";

const NEW_PASSWORD = "seven green bottles on a wall";
const isOfOutbox = (line) => line.name === "app.mail" && line.message !== "Mail asked for";

const started = (t, settings) => startFaulty(t, withMailbox({ wrapper: [MAILBOX, WRAPPER], settings }));

/** A service with a user to whom nothing is on its way. */
async function withUser(t, settings) {
  const service = await started(t, settings);
  const account = await signUp(service);
  await untilSettled(service);
  return { service, email: account.user.email, ...account };
}

/** The number of accepted mails with a link to reset the password. */
const resets = async (service) => (await mails(service)).filter(({ text }) => text.includes("/reset#token=")).length;

/** Waits until the outbox has logged this, once or as often as given. */
const untilLogged = (service, message, count = 1) => service.logged((line) => line.message === message, count);

/** Asks for a new password while the sender is in this mode. */
async function askedIn(service, email, mode) {
  const before = await setMailbox(service, mode);
  assertSuccess(await forgot(service, email), 202);
  await until("the sender is asked", async () => (await setMailbox(service, mode)) === before + 1);
}

describe("a sender that fails", () => {
  for (const mode of ["again", "limited", "misconfigured", "broken"]) {
    test(`(${mode}) gets the mail until it has accepted it, and not once more`, async (t) => {
      const { service, email } = await withUser(t);
      await askedIn(service, email, mode);
      await untilLogged(service, "Mail not sent yet");
      await sendMails(service);
      await sendMails(service);
      await untilLogged(service, "Mail not sent yet", 3);
      const [{ attempts, due_at: due }] = await outbox(service);
      assert.equal(attempts, 3);
      assert.ok(due > Date.now(), "no concurrent run sends it");
      assert.equal(await resets(service), 0);
      const before = await setMailbox(service, "accept");
      await sendMails(service);
      await sendMails(service);
      assert.deepEqual([await resets(service), await outbox(service)], [1, []]);
      assert.equal(await setMailbox(service, "accept"), before + 1);
      const { token } = await mailedLink(service, email, "reset");
      assertSuccess(await reset(service, { token, new_password: NEW_PASSWORD }), 200);
    });
  }

  test("keeps mails of several users for the next run, and each is accepted once", async (t) => {
    const { service } = await withUser(t);
    await setMailbox(service, "again");
    const people = await Promise.all(Array.from({ length: 25 }, () => signUp(service)));
    await untilLogged(service, "Mail not sent yet", people.length);
    await setMailbox(service, "accept");
    // Two concurrent runs take different mails.
    await rows(service.db, "UPDATE mails SET due_at = 0");
    const worker = await service.miniflare.getWorker();
    await Promise.all([1, 2].map(() => worker.scheduled({ cron: "* * * * *" })));
    assert.deepEqual(await outbox(service), []);
    for (const { user } of people) {
      assert.equal((await mails(service)).filter(({ to }) => to === user.email).length, 1);
    }
  });

  test("because it refuses the address for good, gets no second attempt, and administrators see it", async (t) => {
    const { service, email, id } = await withUser(t);
    const boss = await platformAdmin(service);
    await untilSettled(service);
    const refusedAt = async () => (await asUser(service, boss.access, "GET", `/admin/users/${id}`)).body.mail_refused_at;
    assert.equal(await refusedAt(), null);
    const begun = Date.now();
    await askedIn(service, email, "never");
    await untilSettled(service);
    const moment = Date.parse(await refusedAt());
    assert.ok(moment >= Math.floor(begun / 1000) * 1000 && moment <= Date.now(), `${moment}`);
    const before = await setMailbox(service, "accept");
    await sendMails(service);
    assert.equal(await setMailbox(service, "accept"), before);
    // A proof of the address withdraws the note.
    assertSuccess(await forgot(service, email), 202);
    const { token } = await mailedLink(service, email, "reset");
    assertSuccess(await reset(service, { token, new_password: NEW_PASSWORD }), 200);
    assert.equal(await refusedAt(), null);
  });
});

describe("a sender that does not answer", () => {
  test("delays no response: the mail is still with it when the client has its answer", async (t) => {
    const { service, email } = await withUser(t);
    await setMailbox(service, "hang");
    const answers = [await forgot(service, email), await register(service, newUser())];
    assert.deepEqual(answers.map(({ status }) => status), [202, 201]);
    // The outbox has not given the sender up yet, which it does after its deadline only.
    assert.equal((await logged(service, isOfOutbox)).length, 1, "the mail of the first user, accepted before");
    await until("the sender is asked", async () => (await setMailbox(service, "hang")) === 3);
    assert.equal((await outbox(service)).length, 2);
    await untilLogged(service, "Mail not sent yet", 2);
    await setMailbox(service, "accept");
    await sendMails(service);
    assert.deepEqual([await resets(service), await outbox(service)], [1, []]);
  });

  test("until after its deadline, accepts the mail twice and no third time", async (t) => {
    const { service, email } = await withUser(t);
    await askedIn(service, email, "late");
    await untilLogged(service, "Mail not sent yet");
    await setMailbox(service, "accept");
    await sendMails(service);
    assert.equal(await resets(service), 1);
    await setMailbox(service, "accept", true);
    await until("the late one is accepted", async () => (await resets(service)) === 2);
    await sendMails(service);
    assert.deepEqual([await resets(service), await outbox(service)], [2, []]);
    // Both have the same link, which serves once.
    const { token } = await mailedLink(service, email, "reset", 2);
    assertSuccess(await reset(service, { token, new_password: NEW_PASSWORD }), 200);
    assertEnvelope(await reset(service, { token, new_password: NEW_PASSWORD }), 401, "AUTH_INVALID_CREDENTIALS");
  });

  test("although it accepted the mail, gets it once more and no third time", async (t) => {
    const { service, email } = await withUser(t);
    await askedIn(service, email, "silent");
    await untilLogged(service, "Mail not sent yet");
    await setMailbox(service, "accept");
    await sendMails(service);
    await sendMails(service);
    assert.deepEqual([await resets(service), await outbox(service)], [2, []]);
  });
});

describe("a database that fails", () => {
  test("between the acceptance of a mail and the note of it: the mail is sent a second time, and no third", async (t) => {
    const { service, email } = await withUser(t);
    // The first call writes the mail, the second one deletes it.
    await setFaults(service, { db: { kind: "before", skip: 1, times: 1 } });
    assertSuccess(await forgot(service, email), 202);
    await untilLogged(service, "The fate of a mail was not noted");
    assert.deepEqual([await resets(service), (await outbox(service)).length], [1, 1]);
    await sendMails(service);
    await sendMails(service);
    assert.deepEqual([await resets(service), await outbox(service)], [2, []]);
  });

  test("after it has noted the acceptance: the mail is sent once", async (t) => {
    const { service, email } = await withUser(t);
    await setFaults(service, { db: { kind: "after", skip: 1, times: 1 } });
    assertSuccess(await forgot(service, email), 202);
    await untilLogged(service, "The fate of a mail was not noted");
    await sendMails(service);
    assert.deepEqual([await resets(service), await outbox(service)], [1, []]);
  });

  test("when the Cron Trigger reads the outbox: the next run sends the mail", async (t) => {
    const { service, email } = await withUser(t);
    await askedIn(service, email, "again");
    await untilLogged(service, "Mail not sent yet");
    await setMailbox(service, "accept");
    await setFaults(service, { db: { kind: "before", times: 1 } });
    await sendMails(service);
    await untilLogged(service, "The outbox was not read, the next run continues");
    assert.equal(await resets(service), 0);
    await sendMails(service);
    assert.deepEqual([await resets(service), await outbox(service)], [1, []]);
  });

  test("and repeats the call that asks for a mail: one mail is sent, and one is counted", async (t) => {
    const { service, email, access } = await withUser(t);
    // Good calls pay for a repetition.
    await Promise.all(Array.from({ length: 10 }, () => me(service, access)));
    await setFaults(service, { db: { kind: "transient", times: 1 } });
    assertSuccess(await forgot(service, email), 202);
    await untilSettled(service);
    assert.equal(await resets(service), 1);
    assert.deepEqual(await rows(service.db, "SELECT DISTINCT count FROM mail_counts WHERE key NOT LIKE 'refused/%'"), [{ count: 1 }]);
  });
});

describe("no mail is sent for", () => {
  /** Nothing is in the outbox, and neither now nor later anything is accepted beyond the mails so far. */
  async function assertNothingSent(service, before) {
    assert.deepEqual(await outbox(service), []);
    await sendMails(service);
    assert.equal((await mails(service)).length, before);
  }

  test("a registration that was refused, or whose batch has failed", async (t) => {
    const { service, user } = await withUser(t);
    assertEnvelope(await register(service, { ...newUser(), email: user.email }), 409, "CONFLICT");
    assertEnvelope(await register(service, { ...newUser(), password: "short" }), 422, "VALIDATION_ERROR");
    await setFaults(service, { db: { kind: "before", times: 1 } });
    assertUnavailable(await register(service, newUser()));
    await assertNothingSent(service, 1);
  });

  test("a change of the password that was refused, or whose batch has failed", async (t) => {
    const { service, user, access } = await withUser(t);
    assertEnvelope(await changePassword(service, access, "mistyped", NEW_PASSWORD), 401, "AUTH_INVALID_CREDENTIALS");
    await setFaults(service, { db: { kind: "before", skip: 1, times: 1 } });
    assertUnavailable(await changePassword(service, access, user.password, NEW_PASSWORD));
    await assertNothingSent(service, 1);
  });

  test("a reset that was refused, or whose batch has failed", async (t) => {
    const { service, email } = await withUser(t);
    assertSuccess(await forgot(service, email), 202);
    const { token } = await mailedLink(service, email, "reset");
    await untilSettled(service);
    assertEnvelope(await reset(service, { token, new_password: "short" }), 422, "VALIDATION_ERROR");
    await setFaults(service, { db: { kind: "before", skip: 1, times: 1 } });
    assertUnavailable(await reset(service, { token, new_password: NEW_PASSWORD }));
    await assertNothingSent(service, 2);
    assertSuccess(await reset(service, { token, new_password: NEW_PASSWORD }), 200);
  });
});

test("a registration whose answer was lost has its mail sent by the Cron Trigger", async (t) => {
  const { service } = await withUser(t);
  const user = newUser();
  await setFaults(service, { db: { kind: "after", times: 1 } });
  assertUnavailable(await register(service, user));
  await sendMails(service);
  const { token } = await mailedLink(service, user.email, "verify");
  assertSuccess(await verify(service, { token, password: user.password }), 200);
  assert.deepEqual(await outbox(service), []);
});

test("without mail, the Cron Trigger of the minute asks the database nothing", async (t) => {
  const service = await startFaulty(t, {});
  await signUp(service);
  const before = await batches(service);
  await sendMails(service);
  assert.equal(await batches(service), before);
});
