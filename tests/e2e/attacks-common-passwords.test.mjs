// Common passwords are refused when a password is chosen, and nowhere else. At this level, because the
// filter is read from the deployed Wasm, and normalisation is the runtime's own.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { changePassword, login, newUser, register, signUp } from "./support/client.mjs";
import { eventsOf, inShort, rows, userRow } from "./support/database.mjs";
import { assertEnvelope, assertFaults, assertSuccess } from "./support/envelope.mjs";
import { phc } from "./support/hashes.mjs";
import { accessLines } from "./support/logs.mjs";
import { startWatched } from "./support/watched.mjs";

const APP_NAME = "Sesame Sign-In";

let service;
before(async () => (service = await startWatched({ settings: { APP_NAME } })));
after(() => service.end());

const COMMON = {
  "as usually written": ["password1", "12345678", "qwerty123", "iloveyou", "1q2w3e4r", "letmein1", "trustno1"],
  "in upper case": ["PASSWORD1", "Password123", "ILOVEYOU", "Qwerty123", "TrustNo1"],
  "in full-width and other forms": ["ｐａｓｓｗｏｒｄ１", "１２３４５６７８", "ＱＷＥＲＴＹ１２３", "ⓘⓛⓞⓥⓔⓨⓞⓤ", "𝐭𝐫𝐮𝐬𝐭𝐧𝐨𝟏"],
};

/** Passwords derived from an address, or from the name of the service. */
const guessable = (email) => {
  const [local] = email.split("@");
  return [
    local,
    local.toUpperCase(),
    `${local}1`,
    `${local}2026`,
    `${local}!!`,
    email,
    `${email.toUpperCase()}1`,
    APP_NAME,
    APP_NAME.toLowerCase(),
    `${APP_NAME}_1`,
    "ｓｅｓａｍｅ　ｓｉｇｎ－ｉｎ２６",
  ];
};

const message = (response) => response.body.error.details.errors[0].msg;

describe("registration with a password", () => {
  for (const [form, passwords] of Object.entries(COMMON)) {
    test(`that is common, ${form}, is refused without a database call`, async () => {
      for (const password of passwords) {
        const user = { ...newUser(), password };
        const response = await register(service, user);
        assertFaults(response, "password: password_common");
        assert.match(message(response), /common/);
        assert.ok(!response.text.includes(password));
        assert.equal((await accessLines(service, [response]))[0].d1_calls, 0);
        assert.deepEqual(await rows(service.db, "SELECT id FROM users WHERE email = ?1", user.email), []);
      }
    });
  }

  test("derived from the address or the service's name is refused, with up to four digits and signs", async () => {
    const user = newUser();
    for (const password of guessable(user.email)) {
      const response = await register(service, { ...user, password });
      assertFaults(response, "password: password_common");
      assert.match(message(response), /address/);
    }
    // As typed into the form, before trimming and lower-casing.
    const [local] = user.email.split("@");
    const shouted = { ...user, email: ` ${user.email.toUpperCase()} `, password: `${local}99` };
    assertFaults(await register(service, shouted), "password: password_common");
    assert.deepEqual(await rows(service.db, "SELECT id FROM users WHERE email = ?1", user.email), []);
  });

  test("that is common and with an invalid address reports both faults", async () => {
    const response = await register(service, { email: "no address", password: "password1" });
    assertFaults(response, "email: value_error.email", "password: password_common");
  });

  test("that only begins like a common one is accepted", async () => {
    const [local] = newUser().email.split("@");
    const fine = ["password1 and something else", `${local}20260`, `${local} x`, `x${local}1`, `${APP_NAME} & more`];
    for (const [index, password] of fine.entries()) {
      assertSuccess(await register(service, { email: `${local}@mail-${index}.example`, password }), 201);
    }
  });
});

describe("a password change", () => {
  const NEXT = "a passphrase that nobody has";

  test("to a common one, in any form, keeps the old one", async () => {
    const { user, id, access } = await signUp(service);
    const before = await userRow(service.db, id);
    for (const password of Object.values(COMMON).flat()) {
      assertFaults(await changePassword(service, access, user.password, password), "new_password: password_common");
    }
    assert.deepEqual(await userRow(service.db, id), before);
    assert.deepEqual(inShort(await eventsOf(service.db, id)), ["registered"]);
    assertSuccess(await login(service, user), 200);
  });

  test("to one derived from the address or the service's name keeps the old one", async () => {
    const { user, id, access } = await signUp(service);
    const before = await userRow(service.db, id);
    for (const password of guessable(user.email)) {
      assertFaults(await changePassword(service, access, user.password, password), "new_password: password_common");
    }
    assert.deepEqual(await userRow(service.db, id), before);
    assertSuccess(await changePassword(service, access, user.password, NEXT), 200);
    assertSuccess(await login(service, { ...user, password: NEXT }), 200);
  });

  test("without the current password does not reveal that the new one is common", async () => {
    const { user, id, access } = await signUp(service);
    const answers = [];
    for (const proposed of ["password1", user.email]) {
      for (const current of [user.password, "an entirely wrong passphrase"]) {
        const { status, body } = await changePassword(service, access, current, proposed);
        answers.push([status, body.error]);
      }
    }
    assert.deepEqual(answers[0], answers[1]);
    assert.deepEqual(answers[2], answers[3]);
    assert.equal((await userRow(service.db, id)).throttles.password.failures, 0);
  });
});

test("a user with a common password from earlier still signs in with it, and can change it", async () => {
  const [person, password] = [await signUp(service), "iloveyou"];
  await rows(service.db, "UPDATE users SET password_hash = ?2 WHERE id = ?1", person.id, phc(password, 1000));
  const { body, status } = await login(service, { ...person.user, password });
  assert.equal(status, 200);
  assertSuccess(await changePassword(service, body.access_token, password, "a passphrase that nobody has"), 200);
  const again = await login(service, { ...person.user, password });
  assertEnvelope(again, 401, "AUTH_INVALID_CREDENTIALS");
});
