// Requests about second factors that another request overtakes between their reads and their write: enrolments, and acts
// whose session or factor is gone by then. At this level, because only workerd interleaves requests over a real D1.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Authenticator } from "./support/authenticator.mjs";
import { asUser, changePassword, deleteAccount, login, logoutAll, me, signUp } from "./support/client.mjs";
import { liveSessions, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { addPasskey, complete, confirm, due, enrol, enrolled, FACTOR_SETTINGS, ORIGIN } from "./support/factors.mjs";
import { forgetSteps, removeTotp, stepUp, withPasskey, withTotp } from "./support/factors.mjs";
import { HELD, holder, orders } from "./support/held.mjs";
import { answersOf, made, platformAdmin } from "./support/roles.mjs";
import { startService } from "./support/service.mjs";
import { decode } from "./support/tokens.mjs";
import { totp } from "./support/totp.mjs";

const NEW_PASSWORD = "seven green bottles on a wall";
const MANY = 10;
const ROUNDS = 8;
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));

let service;
let hold;
let boss;
before(async () => {
  service = await startService({ ...HELD, settings: { ...HELD.settings, ...FACTOR_SETTINGS } });
  hold = holder(service);
  boss = await platformAdmin(service);
});
after(() => service?.stop());

const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
const hasTotp = async ({ id }) => {
  return (await rows(service.db, "SELECT 1 FROM totp_secrets WHERE user_id = ?1 AND is_confirmed = 1", id)).length === 1;
};
const sessionIds = async ({ id }) => (await liveSessions(service.db, id)).map((session) => String(session.id));

describe("enrolment", () => {
  // Requests of one burst often begin in the same millisecond, the time by which rows of one batch are told from others.
  for (const order of ["every write after all reads", "in one burst"]) {
    test(`confirmed ten times concurrently, ${order}: the recovery codes of the success are valid`, async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const account = await signUp(service);
        const { secret } = await made(enrol(service, account.access));
        const code = totp(secret);
        const starts = times(MANY, () => (headers) => confirm(service, account.access, code, headers));
        const successes = (await orders(hold)[order](starts)).filter(({ status }) => status === 200);
        assert.equal(successes.length, 1);
        const { mfa_token } = await due(service, account.user);
        const [recovery_code] = successes[0].body.recovery_codes;
        assertSuccess(await complete(service, { mfa_token, recovery_code }), 200);
      }
    });
  }

  test("confirmed by ten sessions at once keeps the session of the success", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const account = await signUp(service);
      const others = await Promise.all(times(MANY, () => made(login(service, account.user))));
      const { secret } = await made(enrol(service, account.access));
      const code = totp(secret);
      const answers = await Promise.all(others.map(({ access_token }) => confirm(service, access_token, code)));
      const winner = answers.findIndex(({ status }) => status === 200);
      assert.equal(answers.filter(({ status }) => status === 200).length, 1);
      assert.deepEqual(await sessionIds(account), [decode(others[winner].access_token).claims.sid]);
    }
  });

  test("offered ten times concurrently leaves one secret, and no other one confirms anything", async () => {
    const account = await signUp(service);
    const offers = await Promise.all(times(MANY, () => made(enrol(service, account.access))));
    const answers = [];
    for (const { secret } of offers) {
      answers.push((await confirm(service, account.access, totp(secret))).status);
    }
    assert.equal(answers.filter((status) => status === 200).length, 1, String(answers));
    const stored = await rows(service.db, "SELECT is_confirmed FROM totp_secrets WHERE user_id = ?1", account.id);
    assert.deepEqual(stored, [{ is_confirmed: 1 }]);
  });

  test("of one passkey, posted ten times concurrently, stores it once", async () => {
    const account = await signUp(service);
    const passkey = new Authenticator({ origin: ORIGIN });
    const credential = passkey.create(await made(asUser(service, account.access, "POST", "/users/me/passkeys/options", {})));
    const post = (at) => asUser(service, account.access, "POST", "/users/me/passkeys", { name: "Key", credential }, at(1));
    const answers = await hold.allAtOnce(...times(MANY, () => post));
    const [added, ...others] = answers.toSorted((one, other) => one.status - other.status);
    assertSuccess(added, 201);
    others.forEach(isRefused);
    const { mfa_token } = await due(service, account.user);
    assertSuccess(await complete(service, { mfa_token, recovery_code: added.body.recovery_codes[0] }), 200);
    assert.equal((await rows(service.db, "SELECT id FROM passkeys WHERE user_id = ?1", account.id)).length, 1);
  });

  test("of thirty passkeys at once stores 25, and one response has recovery codes, which are valid", async () => {
    const account = await signUp(service);
    const startRegistration = () => made(asUser(service, account.access, "POST", "/users/me/passkeys/options", {}));
    const options = await Promise.all(times(30, startRegistration));
    const starts = options.map((creation) => (at) => {
      const credential = new Authenticator({ origin: ORIGIN }).create(creation);
      return asUser(service, account.access, "POST", "/users/me/passkeys", { name: "Key", credential }, at(1));
    });
    const answers = await hold.allAtOnce(...starts);
    assert.deepEqual(answersOf(answers), { 201: 25, "409 CONFLICT": 5 });
    const given = answers.flatMap(({ body }) => body.recovery_codes ?? []);
    assert.equal(given.length, 10);
    const { mfa_token, passkey_options: passkeys } = await due(service, account.user);
    assert.equal(passkeys.allowCredentials.length, 25);
    assertSuccess(await complete(service, { mfa_token, recovery_code: given[0] }), 200);
  });
});

/** A new user with two sessions by password, of which the second is that of a thief: `{…, thief}`. */
async function shared() {
  const account = await signUp(service);
  const { access_token: thief } = await made(login(service, account.user));
  return { ...account, thief };
}

/** The acts of a session by password alone, while the account has no second factor. */
const ACTS = {
  "removing the app": (access, at) => removeTotp(service, access, at),
  "offering another app": (access, at) => enrol(service, access, at),
  "replacing the recovery codes": (access, at) => asUser(service, access, "POST", "/users/me/mfa/recovery-codes", {}, at),
  "changing the password": (access, at, { user }) => changePassword(service, access, user.password, NEW_PASSWORD, at),
  "making an API key": (access, at) =>
    asUser(service, access, "POST", "/users/me/api-keys", { name: "Key", permissions: ["universities:view"] }, at),
  "erasing the account": (access, at, { user }) => deleteAccount(service, access, user.password, at),
};

describe("the owner enrols an app, which ends the session of a thief, and the thief's overtaken request", () => {
  for (const [act, perform] of Object.entries(ACTS)) {
    test(`changes nothing by ${act}`, async () => {
      const account = await shared();
      const late = await hold.overtake(
        (at) => perform(account.thief, at, account),
        async () => {
          Object.assign(account, await enrolled(service, account));
          return { status: 200 };
        },
      );
      assert.ok(late.status >= 400, `${late.status} ${late.text}`);
      assert.ok(await hasTotp(account));
      assertSuccess(await me(service, account.access), 200);
      await forgetSteps(service, account.id);
      const { mfa_token } = await due(service, account.user);
      assertSuccess(await complete(service, { mfa_token, recovery_code: account.recovery[0] }), 200);
      assert.deepEqual(await rows(service.db, "SELECT id FROM api_keys WHERE user_id = ?1", account.id), []);
    });
  }
});

describe("a session with a second factor that has ended", () => {
  test("removes no app", async () => {
    const account = await withTotp(service);
    const { mfa_token } = await due(service, account.user);
    const thief = await made(complete(service, { mfa_token, code: totp(account.secret) }));
    const late = await hold.overtake(
      (at) => removeTotp(service, thief.access_token, at),
      () => logoutAll(service, account.access),
    );
    assertEnvelope(late, 401, "AUTH_TOKEN_REVOKED");
    assert.ok(await hasTotp(account));
  });

  test("removes no passkey", async () => {
    const account = await withPasskey(service);
    const { mfa_token } = await due(service, account.user);
    const thief = await made(complete(service, { mfa_token, recovery_code: account.recovery[0] }));
    const late = await hold.overtake(
      (at) => asUser(service, thief.access_token, "DELETE", `/users/me/passkeys/${account.passkeyId}`, undefined, at),
      () => logoutAll(service, account.access),
    );
    assertEnvelope(late, 401, "AUTH_TOKEN_REVOKED");
    assert.equal((await rows(service.db, "SELECT id FROM passkeys WHERE user_id = ?1", account.id)).length, 1);
  });

  test("confirms no app", async () => {
    const account = await signUp(service);
    const { secret } = await made(enrol(service, account.access));
    const late = await hold.overtake(
      (at) => confirm(service, account.access, totp(secret), at),
      () => logoutAll(service, account.access),
    );
    assertEnvelope(late, 401, "AUTH_TOKEN_REVOKED");
    assert.equal(await hasTotp(account), false);
  });

  test("steps up no more", async () => {
    const account = await withTotp(service);
    const late = await hold.overtake(
      (at) => stepUp(service, account.access, { code: totp(account.secret) }, at),
      () => logoutAll(service, account.access),
    );
    assert.equal(late.status, 401, late.text);
  });
});

/** Changes of the account, each of which voids a sign-in that waits for its second factor. */
const CHANGES = {
  "a change of the password": ({ user, fresh }) => changePassword(service, fresh, user.password, NEW_PASSWORD),
  "the removal of the app": ({ fresh }) => removeTotp(service, fresh),
  "disabling the account": ({ id }) => asUser(service, boss.access, "PATCH", `/admin/users/${id}`, { is_active: false }),
  "a reset by an administrator": ({ id }) => asUser(service, boss.access, "DELETE", `/admin/users/${id}/mfa`),
  "another app": async (account) => {
    await enrolled(service, { ...account, access: account.fresh });
    return { status: 200 };
  },
};

describe("a right second factor opens nothing when it was overtaken by", () => {
  for (const [change, perform] of Object.entries(CHANGES)) {
    test(change, async () => {
      const account = await withTotp(service);
      const { access_token: fresh } = await made(stepUp(service, account.access, { code: totp(account.secret) }));
      await forgetSteps(service, account.id);
      const { mfa_token } = await due(service, account.user);
      const code = totp(account.secret);
      const before = await sessionIds(account);
      const late = await hold.overtake(
        (at) => complete(service, { mfa_token, code }, at),
        () => perform({ ...account, fresh }),
      );
      isRefused(late);
      assert.ok((await sessionIds(account)).every((id) => before.includes(id)));
      const sql = "SELECT id FROM used_challenges WHERE used_at IS NOT NULL AND user_id = ?1";
      assert.equal((await rows(service.db, sql, account.id)).length, 1, "that of the step-up");
    });
  }

  test("the removal of the passkey", async () => {
    const account = await withPasskey(service);
    const { id } = await addPasskey(service, await freshly(account), {});
    assert.notEqual(id, account.passkeyId);
    const { mfa_token, passkey_options: options } = await due(service, account.user);
    const passkey = account.passkey.get(options);
    const { access } = await freshly(account);
    const late = await hold.overtake(
      (at) => complete(service, { mfa_token, passkey }, at),
      () => asUser(service, access, "DELETE", `/users/me/passkeys/${account.passkeyId}`),
    );
    isRefused(late);
  });
});

/** The account with an access token that has just been stepped up. */
async function freshly(account) {
  const stale = await asUser(service, account.access, "POST", "/users/me/passkeys/options", {});
  const { passkey_options: options } = assertEnvelope(stale, 401, "AUTH_STEP_UP_REQUIRED");
  const stepped = await made(stepUp(service, account.access, { passkey: account.passkey.get(options) }));
  return { ...account, access: stepped.access_token };
}
