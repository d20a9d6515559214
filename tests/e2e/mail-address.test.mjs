// Changes of address under concurrent use: of any number of undos one succeeds, and of two changes one. At this level, because only workerd interleaves requests over a real D1.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, login, me, newIp, newUser, post, register, send, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { HELD, holder } from "./support/held.mjs";
import { MAILBOX, mailedLink, untilSettled, verify, withMailbox } from "./support/mailbox.mjs";
import { startService } from "./support/service.mjs";

const MANY = 20;
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));

let service;
let hold;
before(async () => {
  service = await startService(withMailbox({ wrapper: [MAILBOX, HELD.wrapper] }));
  hold = holder(service);
});
after(() => service?.stop());

const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
const undo = (token, headers) => post(service, "/auth/email/undo", { token }, headers);
const addresses = async (...emails) => {
  const marks = emails.map((_, index) => `?${index + 1}`).join(", ");
  return rows(service.db, `SELECT id, email FROM users WHERE email IN (${marks}) ORDER BY email`, ...emails);
};

/** An account with a proven address. */
async function proven() {
  const account = await signUp(service);
  await rows(service.db, "UPDATE users SET email_verified_at = 1 WHERE email = ?1", account.user.email);
  return account;
}

/** A pending change: the new address, the flow and the code. */
async function pending({ access }, next = newUser().email) {
  const headers = { "CF-Connecting-IP": newIp() };
  const { status, body, text } = await asUser(service, access, "PUT", "/users/me/email", { new_email: next }, headers);
  assert.equal(status, 202, text);
  const { code } = await mailedLink(service, next, "verify");
  return { next, proof: { flow: body.flow, code } };
}

/** An account after a change, and the undo of it. */
async function moved() {
  const account = await proven();
  const { next, proof } = await pending(account);
  assertSuccess(await verify(service, proof), 200);
  return { ...account, next, ...(await mailedLink(service, account.user.email, "undo")) };
}

function oneOf(answers) {
  const won = answers.filter(({ status }) => status === 200);
  assert.equal(won.length, 1, `${won.length} of ${answers.length} succeeded`);
  answers.filter(({ status }) => status !== 200).forEach(isRefused);
}

describe("of many at once", () => {
  test("one undo succeeds", async () => {
    const { token, user, next, access } = await moved();
    oneOf(await hold.allAtOnce(...times(MANY, () => (at) => undo(token, at(1)))));
    assert.deepEqual((await addresses(user.email, next)).map(({ email }) => email), [user.email]);
    isRefused(await login(service, user));
    assert.equal((await me(service, access)).status, 401);
    await untilSettled(service);
  });

  test("one undo succeeds, in one burst", async () => {
    const { token } = await moved();
    oneOf(await Promise.all(times(MANY, () => undo(token, { "CF-Connecting-IP": newIp() }))));
  });

  test("one change to an address succeeds", async () => {
    const next = newUser().email;
    const people = [await proven(), await proven()];
    const changes = [];
    for (const person of people) {
      const headers = { "CF-Connecting-IP": newIp() };
      const asked = await asUser(service, person.access, "PUT", "/users/me/email", { new_email: next }, headers);
      const { code } = await mailedLink(service, next, "verify", changes.length + 1);
      changes.push({ flow: asked.body.flow, code });
    }
    oneOf(await hold.allAtOnce(...changes.map((proof) => (at) => verify(service, proof, at(1)))));
    assert.equal((await addresses(next, ...people.map(({ user }) => user.email))).length, 2);
  });
});

describe("a change that was read before, and made after,", () => {
  test("a registration of the address changes nothing", async () => {
    const account = await proven();
    const { next, proof } = await pending(account);
    const late = await hold.overtake(
      (at) => verify(service, proof, at),
      () => register(service, { ...newUser(), email: next }),
    );
    isRefused(late);
    assert.equal((await me(service, account.access)).body.email, account.user.email);
  });

  test("another change of the same account changes nothing", async () => {
    const account = await proven();
    const [first, second] = [await pending(account), await pending(account)];
    const late = await hold.overtake(
      (at) => verify(service, first.proof, at),
      () => verify(service, second.proof),
    );
    isRefused(late);
    assert.equal((await me(service, account.access)).body.email, second.next);
  });
});

test("an undo that was read before a second change, and made after, voids that change", async () => {
  const { token, user, access, next } = await moved();
  const second = await pending({ access });
  const late = await hold.overtake(
    (at) => undo(token, at),
    () => verify(service, second.proof),
  );
  assertSuccess(late, 200);
  assert.deepEqual((await addresses(user.email, next, second.next)).map(({ email }) => email), [user.email]);
  const later = await mailedLink(service, next, "undo");
  isRefused(await undo(later.token));
});

test("opening a link, or its token in a query, changes no row", async () => {
  const { token } = await moved();
  await untilSettled(service);
  for (const [page, path] of [["/undo", "/auth/email/undo"], ["/not-me", "/auth/email/not-me"]]) {
    for (const method of ["GET", "HEAD"]) {
      assert.equal((await send(service, `${page}?token=${token}`, { method })).status, 200);
      assert.equal((await send(service, `${path}?token=${token}`, { method })).status, 405);
    }
    assertEnvelope(await post(service, `${path}?token=${token}`, {}), 422, "VALIDATION_ERROR");
  }
  assertSuccess(await undo(token), 200);
});
