// Second factors tell nothing: neither the log nor the rows hold anything that can be presented. Before the password is right,
// no response tells of a second factor. At this level, because only the bundle has all of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Authenticator } from "./support/authenticator.mjs";
import { asUser, login, newUser, post, signUp } from "./support/client.mjs";
import { dump, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess, said } from "./support/envelope.mjs";
import { addPasskey, complete, confirm, due, enrol, FACTOR_SETTINGS, ORIGIN } from "./support/factors.mjs";
import { forgetSteps, passkeyOptions, removeTotp, signInByPasskey, stepUp, withPasskey, withTotp } from "./support/factors.mjs";
import { accessLines, loggedText } from "./support/logs.mjs";
import { made } from "./support/roles.mjs";
import { startFor } from "./support/start.mjs";
import { watchedFor } from "./support/watched.mjs";
import { secretBytes, stepNow, totp, wrongCodes } from "./support/totp.mjs";

const UNKNOWN_CODE = "0000-0000-0000-0000-0000-0000";
const isRefused = (answer) => assertEnvelope(answer, 401, "AUTH_INVALID_CREDENTIALS");

/** Every spelling in which a leak of these bytes is likely. */
const spellings = (bytes) => ["base64", "base64url", "hex", "latin1"].map((encoding) => bytes.toString(encoding));
/** The parts of a signed token that nothing else has. */
const parts = (token) => token.split(".").slice(1);
/** The members of a credential that sign something, or that name it. */
const partsOf = ({ id, response: { transports, ...members } }) => [id, ...Object.values(members)];

/** Enrols an app twice, the second time to its end; `{account, secret, recovery, wrong}`. */
async function enrolment(service, secrets) {
  const account = await signUp(service);
  const offers = [await made(enrol(service, account.access)), await made(enrol(service, account.access))];
  for (const { secret, otpauth_uri: uri } of offers) {
    secrets.everywhere.push(secret, uri, ...spellings(secretBytes(secret)));
  }
  const [, { secret }] = offers;
  const [wrong] = wrongCodes(secret, 1);
  assertEnvelope(await confirm(service, account.access, wrong), 422, "VALIDATION_ERROR");
  const { recovery_codes: recovery } = await made(confirm(service, account.access, totp(secret)));
  secrets.everywhere.push(...recovery, ...recovery.map((code) => code.replaceAll("-", "")));
  secrets.codes.push(wrong, ...[-1, 0, 1].map((offset) => totp(secret, stepNow() + offset)));
  return { account, secret, recovery, wrong };
}

/** Sign-ins with right and wrong codes, each sent twice, and a step-up; returns the fresh token. */
async function signIns(service, secrets, { account, secret, recovery, wrong }) {
  await forgetSteps(service, account.id);
  const evidence = [{ code: wrong }, { recovery_code: UNKNOWN_CODE }, { code: totp(secret) }, { recovery_code: recovery[0] }];
  for (const factor of evidence) {
    const { mfa_token } = await due(service, account.user);
    const answers = [await complete(service, { mfa_token, ...factor }), await complete(service, { mfa_token, ...factor })];
    assert.equal(answers[1].status, 401);
    secrets.everywhere.push(...parts(mfa_token));
  }
  await forgetSteps(service, account.id);
  return (await made(stepUp(service, account.access, { code: totp(secret) }))).access_token;
}

/** A passkey, refused and registered, and its assertions, refused and accepted. */
async function ceremonies(service, secrets, { user }, access) {
  const creation = await made(asUser(service, access, "POST", "/users/me/passkeys/options", {}));
  const passkey = new Authenticator({ origin: ORIGIN });
  secrets.logged.push(creation.user.id);
  for (const changes of [{ origin: "https://evil.example" }, {}]) {
    const credential = passkey.create(creation, changes);
    await asUser(service, access, "POST", "/users/me/passkeys", { name: "Key", credential });
    secrets.logged.push(...partsOf(credential));
  }
  const { flow, options } = await passkeyOptions(service);
  const { mfa_token, passkey_options: second } = await due(service, user);
  secrets.everywhere.push(creation.challenge, flow, second.challenge, ...parts(mfa_token));
  const bad = passkey.get(options, { signature: Buffer.alloc(64) });
  const [alone, beside] = [passkey.get(options), passkey.get(second)];
  isRefused(await signInByPasskey(service, flow, bad));
  assertSuccess(await signInByPasskey(service, flow, alone), 200);
  assertSuccess(await complete(service, { mfa_token, passkey: beside }), 200);
  for (const { response } of [bad, alone, beside]) {
    secrets.everywhere.push(response.clientDataJSON, response.signature);
    secrets.logged.push(response.authenticatorData, response.userHandle);
  }
}

/** Runs through all that a user can do with second factors, rightly and wrongly. Returns the texts that must not be found. */
async function lifetime(service) {
  const secrets = { everywhere: [], logged: [], codes: [] };
  const enrolled = await enrolment(service, secrets);
  const access = await signIns(service, secrets, enrolled);
  await ceremonies(service, secrets, enrolled.account, access);
  assert.equal((await removeTotp(service, access)).status, 204);
  return secrets;
}

test("no secret, code, mfa_token, challenge or credential is in the log, and none that can be presented is stored", async (t) => {
  const service = await watchedFor(t, { settings: { ...FACTOR_SETTINGS, LOG_LEVEL: "DEBUG" } });
  const { everywhere, logged, codes } = await lifetime(service);
  // A second account keeps its app, so that its secret is stored.
  const other = await withTotp(service);
  await due(service, other.user);
  everywhere.push(other.secret, ...spellings(secretBytes(other.secret)), ...other.recovery);
  const [stored, logs] = [await dump(service.db), (await loggedText(service)).join("\n")];
  assert.ok(everywhere.length > 60 && everywhere.every((secret) => typeof secret === "string" && secret.length > 5));
  for (const secret of everywhere) {
    assert.ok(!stored.includes(secret), `stored: ${secret}`);
  }
  for (const secret of [...everywhere, ...logged]) {
    assert.ok(!logs.includes(secret), `logged: ${secret}`);
  }
  // Six digits occur in any long text by chance: as a whole word they would be a code.
  for (const code of codes) {
    assert.doesNotMatch(logs, new RegExp(`(?<![\\w.-])${code}(?![\\w.-])`));
    assert.doesNotMatch(stored, new RegExp(`"${code}"`));
  }
  const [{ secret, encrypted_by: key }] = await rows(service.db, "SELECT * FROM totp_secrets WHERE user_id = ?1", other.id);
  assert.match(secret, /^[\w-]{80}$/, "32 symbols with a nonce and a tag");
  assert.match(key, /^[0-9a-f]{16}$/);
});

test("the export of the data has no secret", async (t) => {
  const service = await startFor(t, { settings: FACTOR_SETTINGS });
  const account = await withTotp(service);
  const { access_token: access } = await made(stepUp(service, account.access, { code: totp(account.secret) }));
  const { passkey } = await addPasskey(service, { access });
  const { status, text } = await asUser(service, access, "GET", "/users/me/export");
  assert.equal(status, 200, text);
  const [{ hashes }] = await rows(service.db, "SELECT hashes FROM recovery_codes WHERE user_id = ?1", account.id);
  const [{ secret }] = await rows(service.db, "SELECT secret FROM totp_secrets WHERE user_id = ?1", account.id);
  for (const hidden of [account.secret, secret, passkey.userHandle, ...account.recovery, ...hashes.trim().split(" ")]) {
    assert.ok(!text.includes(hidden), hidden);
  }
});

test("before the password is right, accounts with and without a second factor are alike", async (t) => {
  const service = await startFor(t, { settings: FACTOR_SETTINGS });
  const accounts = [await signUp(service), await withTotp(service), await withPasskey(service), { user: newUser() }];
  const answers = [];
  for (const { user } of accounts) {
    answers.push(await login(service, { ...user, password: "an entirely wrong passphrase" }));
  }
  answers.forEach((answer) => isRefused(answer));
  const costs = (await accessLines(service, answers)).map(({ d1_calls: calls }) => calls);
  assert.equal(new Set(costs).size, 1, String(costs));
  answers.map(said).forEach((answer) => assert.deepEqual(answer, said(answers[0])));
});

test("the answers to an unknown, a foreign and a removed passkey are alike", async (t) => {
  const service = await startFor(t, { settings: FACTOR_SETTINGS });
  const { passkey } = await withPasskey(service);
  const stranger = new Authenticator({ origin: ORIGIN });
  stranger.userHandle = passkey.userHandle;
  const { flow, options } = await passkeyOptions(service);
  const unknown = stranger.get(options);
  stranger.id = passkey.id;
  const answers = [];
  for (const credential of [unknown, stranger.get(options), passkey.get(options, { userHandle: undefined })]) {
    answers.push(await signInByPasskey(service, flow, credential));
  }
  answers.forEach(isRefused);
  answers.map(said).forEach((answer) => assert.deepEqual(answer, said(answers[0])));
  assertEnvelope(await post(service, "/auth/passkey", {}), 422, "VALIDATION_ERROR");
});
