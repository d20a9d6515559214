// Authenticator apps and recovery codes: enrolment, sign-in, step-up, and a restart between the two factors. At this level,
// because only here do WebCrypto and D1 keep the secret, and because the codes are those of another implementation.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { asUser, login, me, refresh, signUp } from "./support/client.mjs";
import { endingsOf, eventsOf, inShort, liveSessions, rows } from "./support/database.mjs";
import { assertEnvelope, assertFaults, assertSuccess } from "./support/envelope.mjs";
import { complete, confirm, due, dueTimes, enrol, enrolled, FACTOR_SETTINGS, factorsOf } from "./support/factors.mjs";
import { forgetSteps, removeTotp, stepUp, withTotp } from "./support/factors.mjs";
import { made } from "./support/roles.mjs";
import { startService } from "./support/service.mjs";
import { restarting } from "./support/start.mjs";
import { decode } from "./support/tokens.mjs";
import { stepNow, totp, wrongCodes } from "./support/totp.mjs";

let service;
before(async () => (service = await startService({ settings: FACTOR_SETTINGS })));
after(() => service?.stop());

const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");
const amrOf = ({ body }) => decode(body.access_token).claims.amr;

/** A new second step of this user's sign-in, answered with this evidence. */
async function secondStep({ user }, evidence) {
  const { mfa_token } = await due(service, user);
  return complete(service, { mfa_token, ...evidence });
}

describe("an authenticator app", () => {
  test("is asked for from its first code on, and each code works once", async () => {
    const account = await signUp(service);
    const other = await made(login(service, account.user));
    const offer = await made(enrol(service, account.access));
    assert.match(offer.secret, /^[A-Z2-7]{32}$/);
    assert.equal(new URL(offer.otpauth_uri).searchParams.get("secret"), offer.secret);
    assert.match(offer.qr_svg, /^<svg /);
    assertSuccess(await login(service, account.user), 200);
    const [wrong] = wrongCodes(offer.secret, 1);
    assertFaults(await confirm(service, account.access, wrong), "code: value_error");
    assertSuccess(await login(service, account.user), 200);
    const first = totp(offer.secret);
    const { recovery_codes: recovery } = await made(confirm(service, account.access, first));
    assert.equal(new Set(recovery).size, 10);
    assertSuccess(await me(service, account.access), 200);
    assertEnvelope(await me(service, other.access_token), 401, "AUTH_TOKEN_REVOKED");
    const details = await due(service, account.user);
    assert.deepEqual(Object.keys(details).sort(), ["expires_in", "methods", "mfa_token"]);
    assert.deepEqual([details.methods, details.expires_in], [["totp", "recovery_code"], 300]);
    isRefused(await complete(service, { mfa_token: details.mfa_token, code: first }));
    await forgetSteps(service, account.id);
    const signedIn = await complete(service, { mfa_token: details.mfa_token, code: ` ${first.slice(0, 3)} ${first.slice(3)} ` });
    assertSuccess(signedIn, 200);
    assert.deepEqual(amrOf(signedIn), ["pwd", "otp", "mfa"]);
    assertSuccess(await refresh(service, signedIn.body.refresh_token), 200);
    isRefused(await complete(service, { mfa_token: details.mfa_token, code: first }));
    isRefused(await secondStep(account, { code: first }));
    const events = inShort(await eventsOf(service.db, account.id));
    assert.equal(events.filter((event) => event === "signed_in totp").length, 1);
  });

  test("has codes of one step either side, and a code of an earlier step is void after a later one", async () => {
    const account = await withTotp(service);
    const step = stepNow();
    const codeOf = (offset) => ({ code: totp(account.secret, step + offset) });
    for (const offset of [-3, 4]) {
      isRefused(await secondStep(account, codeOf(offset)));
    }
    assertSuccess(await secondStep(account, codeOf(0)), 200);
    isRefused(await secondStep(account, codeOf(-1)));
    assertSuccess(await secondStep(account, codeOf(1)), 200);
    isRefused(await secondStep(account, codeOf(0)));
  });

  test("that waits for its first code opens nothing, and replaces the former one by that code", async () => {
    const account = await withTotp(service);
    const fresh = await made(stepUp(service, account.access, { code: totp(account.secret) }));
    const pending = await made(enrol(service, fresh.access_token));
    await forgetSteps(service, account.id);
    isRefused(await secondStep(account, { code: totp(pending.secret) }));
    isRefused(await stepUp(service, account.access, { code: totp(pending.secret) }));
    const [oldRecovery] = account.recovery;
    const second = await made(secondStep(account, { code: totp(account.secret) }));
    const { recovery_codes: recovery } = await made(confirm(service, account.access, totp(pending.secret)));
    assertEnvelope(await me(service, second.access_token), 401, "AUTH_TOKEN_REVOKED");
    await forgetSteps(service, account.id);
    isRefused(await secondStep(account, { code: totp(account.secret) }));
    isRefused(await secondStep(account, { recovery_code: oldRecovery }));
    assertSuccess(await secondStep(account, { code: totp(pending.secret) }), 200);
    assertSuccess(await secondStep(account, { recovery_code: recovery[0] }), 200);
    assertEnvelope(await confirm(service, account.access, totp(pending.secret)), 409, "CONFLICT");
  });

  test("of another user is none: neither its codes nor its sign-in", async () => {
    const [ada, eve] = [await withTotp(service), await withTotp(service)];
    isRefused(await secondStep(ada, { code: totp(eve.secret) }));
    isRefused(await secondStep(ada, { recovery_code: eve.recovery[0] }));
    const { mfa_token } = await due(service, eve.user);
    isRefused(await complete(service, { mfa_token, code: totp(ada.secret) }));
    assertSuccess(await complete(service, { mfa_token, code: totp(eve.secret) }), 200);
  });
});

describe("a sign-in that waits for its second factor", () => {
  test("opens nothing by itself", async () => {
    const { user, id } = await withTotp(service);
    const { mfa_token: token } = await due(service, user);
    for (const answer of [await me(service, token), await refresh(service, token)]) {
      assertEnvelope(answer, 401, "AUTH_TOKEN_INVALID");
    }
    const [header, claims, signature] = token.split(".");
    const tampered = [header, claims, Buffer.from("no").toString("base64url")].join(".");
    for (const mfa_token of ["", "x", tampered, `${header}.${signature}.${claims}`]) {
      isRefused(await complete(service, { mfa_token, code: "000000" }));
    }
    assert.equal((await liveSessions(service.db, id)).length, 1);
  });

  test("needs exactly one kind of evidence", async () => {
    const { user, secret, recovery } = await withTotp(service);
    const { mfa_token } = await due(service, user);
    const [code, recovery_code] = [totp(secret), recovery[0]];
    assertFaults(await complete(service, { mfa_token }), "code: missing");
    assertFaults(await complete(service, { mfa_token, code, recovery_code }), "recovery_code: value_error");
    assertFaults(await complete(service, { code }), "mfa_token: missing");
    assertSuccess(await complete(service, { mfa_token, code }), 200);
  });

  test("says only after the second factor that the account is disabled", async () => {
    const account = await withTotp(service);
    await rows(service.db, "UPDATE users SET is_active = 0 WHERE id = ?1", account.id);
    const [wrong] = wrongCodes(account.secret, 1);
    isRefused(await secondStep(account, { code: wrong }));
    assertEnvelope(await secondStep(account, { code: totp(account.secret) }), 403, "AUTH_INACTIVE_USER");
  });

  test("outlives a restart of the service, as does its end", async (t) => {
    const start = restarting(t);
    const first = await start(FACTOR_SETTINGS);
    const account = await withTotp(first);
    const [one, other] = await dueTimes(first, account.user, 2);
    const second = await start(FACTOR_SETTINGS);
    const answers = [
      { mfa_token: one.mfa_token, code: totp(account.secret) },
      { mfa_token: other.mfa_token, recovery_code: account.recovery[0] },
    ];
    for (const answer of answers) {
      assertSuccess(await complete(second, answer), 200);
    }
    const third = await start(FACTOR_SETTINGS);
    const { mfa_token } = await due(third, account.user);
    for (const answer of [...answers, ...answers.map((used) => ({ ...used, mfa_token }))]) {
      isRefused(await complete(third, answer));
    }
    assert.equal((await liveSessions(third.db, account.id)).length, 3);
  });
});

describe("recovery codes", () => {
  test("work once, however they are typed, and do not step up", async () => {
    const account = await withTotp(service);
    const [first, second] = account.recovery;
    const typed = first.toLowerCase().replaceAll("-", " ").replaceAll("1", "l").replaceAll("0", "o");
    const signedIn = await secondStep(account, { recovery_code: typed });
    assertSuccess(signedIn, 200);
    assert.deepEqual(amrOf(signedIn), ["pwd", "otp", "mfa"]);
    isRefused(await secondStep(account, { recovery_code: first }));
    assert.equal((await made(factorsOf(service, account.access))).recovery_codes_left, 9);
    assertFaults(await stepUp(service, account.access, { recovery_code: second }), "password: missing");
  });

  test("are replaced as a whole", async () => {
    const account = await withTotp(service);
    const fresh = await made(stepUp(service, account.access, { code: totp(account.secret) }));
    const renewed = await made(asUser(service, fresh.access_token, "POST", "/users/me/mfa/recovery-codes", {}));
    isRefused(await secondStep(account, { recovery_code: account.recovery[0] }));
    assertSuccess(await secondStep(account, { recovery_code: renewed.recovery_codes[0] }), 200);
  });
});

describe("removing the app", () => {
  test("needs a sign-in with a second factor, ends all other sessions, and leaves no code", async () => {
    const account = await withTotp(service);
    const { mfa_token } = await due(service, account.user);
    const other = await made(secondStep(account, { recovery_code: account.recovery[0] }));
    const details = assertEnvelope(await removeTotp(service, account.access), 401, "AUTH_STEP_UP_REQUIRED");
    assert.deepEqual(details, { max_age: 600, methods: ["totp"] });
    const stale = await stepUp(service, account.access, { password: account.user.password });
    assertEnvelope(stale, 401, "AUTH_STEP_UP_REQUIRED");
    const fresh = await made(stepUp(service, account.access, { code: totp(account.secret) }));
    assert.equal((await removeTotp(service, fresh.access_token)).status, 204);
    assertEnvelope(await me(service, other.access_token), 401, "AUTH_TOKEN_REVOKED");
    isRefused(await complete(service, { mfa_token, recovery_code: account.recovery[1] }));
    assertSuccess(await login(service, account.user), 200);
    for (const table of ["totp_secrets", "recovery_codes"]) {
      assert.deepEqual(await rows(service.db, `SELECT * FROM ${table} WHERE user_id = ?1`, account.id), []);
    }
    const { claims } = decode(other.access_token);
    assert.deepEqual(await endingsOf(service.db, claims.sid), []);
  });

  test("that only waits for its first code is no removal of a factor", async () => {
    const account = await signUp(service);
    const { secret } = await made(enrol(service, account.access));
    const answer = await removeTotp(service, account.access);
    assert.deepEqual(inShort(await eventsOf(service.db, account.id)), ["registered"], String(answer.status));
    assertEnvelope(await confirm(service, account.access, totp(secret)), 409, "CONFLICT");
  });

  test("and enrolling again begins anew", async () => {
    const account = await withTotp(service);
    const fresh = await made(stepUp(service, account.access, { code: totp(account.secret) }));
    assert.equal((await removeTotp(service, fresh.access_token)).status, 204);
    const { secret } = await enrolled(service, account);
    assert.notEqual(secret, account.secret);
    isRefused(await secondStep(account, { code: totp(account.secret) }));
    assertSuccess(await secondStep(account, { code: totp(secret) }), 200);
  });
});
