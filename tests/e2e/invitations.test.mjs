// Invitations on workerd: a token serves once however many present it, its mail survives a sender that fails and never
// outlives the invitation, and neither the rows nor the log hold it. At this level, because only workerd interleaves
// requests over a real D1, runs tasks behind a response, and the Cron Trigger.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asUser, me, newUser, register, send, signUp } from "./support/client.mjs";
import { dump, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { HELD, holder } from "./support/held.mjs";
import { loggedText } from "./support/logs.mjs";
import { MAILBOX, mailedLink, mails, outbox } from "./support/mailbox.mjs";
import { sendMails, setMailbox, untilSettled, withMailbox } from "./support/mailbox.mjs";
import { answerOf, createUniversity, grantByAddress, made, member, platformAdmin } from "./support/roles.mjs";
import { watchedFor } from "./support/watched.mjs";

const MANY = 50;
const ACCEPT = "/invitations/accept";
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
const accept = (service, person, token, headers) => asUser(service, person.access, "POST", ACCEPT, { token }, headers);

/** A watched service with a university: `{service, boss, rector, university}`. Nothing is on its way. */
async function scene(t, options) {
  const service = await watchedFor(t, options);
  const boss = await platformAdmin(service);
  const { id: university } = await made(createUniversity(service, boss));
  const rector = await member(service, boss, university, "UNIVERSITY_ADMIN");
  await untilSettled(service);
  return { service, boss, rector, university };
}

/** Invites this address, and returns the invitation. */
async function invite({ service, rector, university }, email, role = "INSTRUCTOR") {
  const answer = await grantByAddress(service, rector, university, email, role);
  assertSuccess(answer, 202);
  return answer.body.invitation;
}

const withdraw = ({ service, rector, university }, { id }) =>
  asUser(service, rector.access, "DELETE", `/universities/${university}/invitations/${id}`);
const pending = ({ service, university }) =>
  rows(service.db, "SELECT id FROM invitations WHERE university_id = ?1", university);
const rolesOf = ({ service, university }, { id }) =>
  rows(service.db, "SELECT role FROM user_university_roles WHERE user_id = ?1 AND university_id = ?2", id, university);
const events = async ({ service }, type) =>
  (await rows(service.db, "SELECT id FROM audit_events WHERE type = ?1", type)).length;
/** The number of mails with an invitation to this address. */
const invited = async ({ service }, email) =>
  (await mails(service)).filter(({ to, text }) => to === email && text.includes("/invite#token=")).length;

describe("fifty concurrent requests", () => {
  const held = async (t) => {
    const place = await scene(t, withMailbox({ wrapper: [MAILBOX, HELD.wrapper] }));
    return { ...place, hold: holder(place.service) };
  };
  /** The two extremes. The caller is the first question, the invitation the second. */
  const ORDERS = {
    "every write after all reads": (hold, starts, question = 2) =>
      hold.allAtOnce(...starts.map((start) => (at) => start(at(question)))),
    "in one burst": (hold, starts) => Promise.all(starts.map((start) => start({}))),
  };

  test("accept an invitation once, and its owner gets one role", async (t) => {
    const place = await held(t);
    const { service, hold } = place;
    for (const [order, together] of Object.entries(ORDERS)) {
      const person = await signUp(service);
      await invite(place, person.user.email);
      const { token } = await mailedLink(service, person.user.email, "invite");
      const granted = await events(place, "role_granted");
      const answers = await together(hold, times(MANY, () => (headers) => accept(service, person, token, headers)));
      const winners = answers.filter(({ status }) => status === 201);
      assert.equal(winners.length, 1, order);
      answers.filter((answer) => answer !== winners[0]).forEach(isRefused);
      assert.deepEqual(await rolesOf(place, person), [{ role: "INSTRUCTOR" }]);
      assert.equal(await events(place, "role_granted"), granted + 1);
      assert.equal((await me(service, person.access)).body.email_verified, true);
      assert.deepEqual(await pending(place), []);
    }
  });

  test("register one account by an invitation, with one role", async (t) => {
    const place = await held(t);
    const { service, hold } = place;
    for (const [order, together] of Object.entries(ORDERS)) {
      const user = newUser();
      await invite(place, user.email);
      const { token: invitation } = await mailedLink(service, user.email, "invite");
      // The invitation is the first question of a registration.
      const registering = times(MANY, () => (headers) => register(service, { ...user, invitation }, headers));
      const answers = await together(hold, registering, 1);
      const winners = answers.filter(({ status }) => status === 201);
      assert.equal(winners.length, 1, order);
      const refused = new Set(answers.filter((answer) => answer !== winners[0]).map(answerOf));
      assert.deepEqual([...refused.difference(new Set(["401 AUTH_INVALID_CREDENTIALS", "409 CONFLICT"]))], []);
      const accounts = await rows(service.db, "SELECT id FROM users WHERE email = ?1", user.email);
      assert.deepEqual(accounts, [{ id: winners[0].body.id }]);
      assert.deepEqual(await rolesOf(place, accounts[0]), [{ role: "INSTRUCTOR" }]);
      assert.equal((await me(service, winners[0].body.access_token)).body.email_verified, true);
    }
  });

  test("of others accept nothing, and leave the invitation to its owner", async (t) => {
    const place = await held(t);
    const { service } = place;
    const [owner, stranger] = [await signUp(service), await signUp(service)];
    await invite(place, owner.user.email);
    const { token } = await mailedLink(service, owner.user.email, "invite");
    const answers = await Promise.all(times(MANY, () => accept(service, stranger, token)));
    answers.forEach((answer) => assertEnvelope(answer, 403, "FORBIDDEN"));
    assert.deepEqual(await rolesOf(place, stranger), []);
    assertSuccess(await accept(service, owner, token), 201);
  });

  test("make one invitation, and send one mail", async (t) => {
    const place = await held(t);
    const { service } = place;
    const { email } = newUser();
    const made = await Promise.all(times(MANY, () => invite(place, email)));
    assert.deepEqual([...new Set(made.map(({ id }) => id))], (await pending(place)).map(({ id }) => id));
    await untilSettled(service);
    assert.equal(await invited(place, email), 1);
  });

  test("do not outrun a withdrawal: an acceptance that it overtakes gives nothing", async (t) => {
    const place = await held(t);
    const { service, hold } = place;
    const person = await signUp(service);
    const invitation = await invite(place, person.user.email);
    const { token } = await mailedLink(service, person.user.email, "invite");
    const late = await hold.stop(...times(MANY, () => (at) => accept(service, person, token, at(1))));
    assert.equal((await withdraw(place, invitation)).status, 204);
    await hold.release();
    (await Promise.all(late)).forEach(isRefused);
    assert.deepEqual(await rolesOf(place, person), []);
    assert.equal((await me(service, person.access)).body.email_verified, false);
  });
});

describe("a sender that fails", () => {
  /** An invitation that was not sent yet. */
  async function unsent(t) {
    const place = await scene(t, withMailbox());
    const { email } = newUser();
    await setMailbox(place.service, "again");
    const invitation = await invite(place, email);
    await place.service.logged((line) => line.message === "Mail not sent yet");
    await setMailbox(place.service, "accept");
    return { ...place, email, invitation };
  }

  test("gets the invitation from the Cron Trigger, once, with a link that serves", async (t) => {
    const { email, ...place } = await unsent(t);
    assert.equal(await invited(place, email), 0);
    await sendMails(place.service);
    await sendMails(place.service);
    assert.deepEqual([await invited(place, email), await outbox(place.service)], [1, []]);
    const { token } = await mailedLink(place.service, email, "invite");
    const person = await signUp(place.service, { ...newUser(), email });
    assertSuccess(await accept(place.service, person, token), 201);
  });

  test("gets no mail for an invitation that was withdrawn", async (t) => {
    const { email, invitation, ...place } = await unsent(t);
    assert.equal((await withdraw(place, invitation)).status, 204);
    await sendMails(place.service);
    assert.deepEqual([await invited(place, email), await outbox(place.service)], [0, []]);
  });

  test("gets no mail for an invitation whose university was deleted", async (t) => {
    const { service, boss, university, email, ...place } = await unsent(t);
    assert.equal((await asUser(service, boss.access, "DELETE", `/universities/${university}`)).status, 204);
    await sendMails(service);
    assert.deepEqual([await invited({ service, ...place }, email), await outbox(service)], [0, []]);
  });
});

test("opening the link, or its token in a query, changes no row; the token serves afterwards", async (t) => {
  const { service, ...place } = await scene(t, withMailbox());
  const person = await signUp(service);
  await invite({ service, ...place }, person.user.email);
  const { token } = await mailedLink(service, person.user.email, "invite");
  await untilSettled(service);
  const stored = await dump(service.db);
  const path = `${ACCEPT}?token=${token}`;
  for (const method of ["GET", "HEAD", "OPTIONS"]) {
    assert.equal((await send(service, path, { method })).status, 405);
    const headers = { Authorization: `Bearer ${person.access}` };
    assert.equal((await send(service, path, { method, headers })).status, 405);
  }
  // The token counts in the body only, and only with a user.
  assertEnvelope(await asUser(service, person.access, "POST", path, {}), 422, "VALIDATION_ERROR");
  assertEnvelope(await accept(service, { access: "no.jwt.this" }, token), 401, "AUTH_TOKEN_INVALID");
  assert.equal(await dump(service.db), stored);
  assertSuccess(await accept(service, person, token), 201);
});

test("the end of its inviter makes an invitation void, until another one invites", async (t) => {
  const place = await scene(t, withMailbox());
  const { service, boss, university } = place;
  for (const end of [
    ({ id }) => asUser(service, boss.access, "PATCH", `/admin/users/${id}`, { is_active: false }),
    ({ id }) => asUser(service, boss.access, "DELETE", `/admin/users/${id}`),
  ]) {
    const inviter = await member(service, boss, university, "UNIVERSITY_ADMIN");
    const person = await signUp(service);
    const { id } = await invite({ ...place, rector: inviter }, person.user.email);
    const { token } = await mailedLink(service, person.user.email, "invite");
    assert.ok((await end(inviter)).status < 300);
    isRefused(await accept(service, person, token));
    assert.deepEqual(await rolesOf(place, person), []);
    assert.equal((await invite(place, person.user.email)).id, id);
    assertSuccess(await accept(service, person, token), 201);
  }
});

test("no token is in the database or in the log, mailed or handed over, used or not", async (t) => {
  const settings = { LOG_LEVEL: "DEBUG" };
  const mailed = await scene(t, withMailbox({ settings }));
  const handed = await scene(t, { settings });
  for (const place of [mailed, handed]) {
    const { service } = place;
    const tokens = [];
    for (const isUsed of [true, false]) {
      const person = await signUp(service);
      const { token: byHand } = await invite(place, person.user.email);
      assert.equal(byHand === undefined, place === mailed);
      const token = byHand ?? (await mailedLink(service, person.user.email, "invite")).token;
      tokens.push(token);
      if (isUsed) {
        assertSuccess(await accept(service, person, token), 201);
        isRefused(await accept(service, person, token));
      }
    }
    const forged = `${tokens[1].split(".")[0]}.${"0".repeat(32)}`;
    isRefused(await accept(service, await signUp(service), forged));
    if (place === mailed) {
      await untilSettled(service);
      await setMailbox(service, "broken");
      await invite(place, newUser().email);
      await service.logged((line) => line.message === "Mail not sent yet");
    }
    const all = (await dump(service.db)) + (await loggedText(service)).join("\n");
    [...tokens, forged].forEach((token) => assert.ok(!all.includes(token.split(".")[1]), token));
    assert.ok(!all.includes("#token="));
  }
});
