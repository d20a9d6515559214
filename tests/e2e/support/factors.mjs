// Accounts with second factors, and the requests around them.
import assert from "node:assert/strict";

import { Authenticator } from "./authenticator.mjs";
import { asUser, login, post, signUp } from "./client.mjs";
import { rows } from "./database.mjs";
import { assertEnvelope } from "./envelope.mjs";
import { made } from "./roles.mjs";
import { stepNow, totp } from "./totp.mjs";

export const RP_ID = "login.example.com";
export const ORIGIN = `https://${RP_ID}`;
export const PASSKEYS = { WEBAUTHN_RP_ID: RP_ID, WEBAUTHN_ORIGINS: JSON.stringify([ORIGIN]) };
/** Passkeys, and passwords that cost nothing: these tests sign in often. */
export const FACTOR_SETTINGS = { ...PASSKEYS, PASSWORD_ITERATIONS: "1" };

export const enrol = (service, access, headers) => asUser(service, access, "POST", "/users/me/mfa/totp", {}, headers);
export const confirm = (service, access, code, headers) =>
  asUser(service, access, "POST", "/users/me/mfa/totp/confirm", { code }, headers);
export const removeTotp = (service, access, headers) =>
  asUser(service, access, "DELETE", "/users/me/mfa/totp", undefined, headers);
export const factorsOf = (service, access) => asUser(service, access, "GET", "/users/me/mfa");
export const stepUp = (service, access, evidence, headers) =>
  asUser(service, access, "POST", "/auth/step-up", evidence, headers);
export const complete = (service, evidence, headers) => post(service, "/auth/mfa", evidence, headers);

/** Codes count from now on as if none of this user had been used: a test cannot wait for the next step. */
export const forgetSteps = (service, id) =>
  rows(service.db, "UPDATE totp_secrets SET used_step = NULL WHERE user_id = ?1 AND is_confirmed = 1", id);

/** Confirms an app by the present code; returns the secret and the recovery codes. */
export async function enrolled(service, { id, access }) {
  const { secret } = await made(enrol(service, access));
  const { recovery_codes: recovery } = await made(confirm(service, access, totp(secret)));
  await forgetSteps(service, id);
  return { secret, recovery };
}

/** A new user with an app whose codes are unused: `{user, id, access, refresh, secret, recovery}`. */
export async function withTotp(service) {
  const account = await signUp(service);
  return { ...account, ...(await enrolled(service, account)) };
}

/** Registers a passkey of the signed-in user; `{passkey, id, recovery_codes?}`. */
export async function addPasskey(service, { access }, options = {}) {
  const passkey = new Authenticator({ origin: ORIGIN, ...options });
  const creation = await made(asUser(service, access, "POST", "/users/me/passkeys/options", {}));
  const credential = passkey.create(creation);
  const body = await made(asUser(service, access, "POST", "/users/me/passkeys", { name: "Key", credential }));
  return { passkey, ...body };
}

/** A new user with a passkey: `{user, id, access, refresh, passkey, passkeyId, recovery}`. */
export async function withPasskey(service, options) {
  const account = await signUp(service);
  const { passkey, id: passkeyId, recovery_codes: recovery } = await addPasskey(service, account, options);
  return { ...account, passkey, passkeyId, recovery };
}

/** The details of the refusal of a right password, as a second factor is due. */
export async function due(service, user, headers) {
  return assertEnvelope(await login(service, user, headers), 401, "AUTH_MFA_REQUIRED");
}

/** The same many times. */
export async function dueTimes(service, user, count) {
  const details = [];
  // In parts: only some passwords wait for their hash at a time.
  while (details.length < count) {
    const part = Array.from({ length: Math.min(10, count - details.length) }, () => due(service, user));
    details.push(...(await Promise.all(part)));
  }
  return details;
}

/** The options of a step-up by passkey: those of a refused act. */
export async function stepUpOptions(service, access) {
  const stale = await asUser(service, access, "DELETE", "/users/me/mfa/totp");
  return assertEnvelope(stale, 401, "AUTH_STEP_UP_REQUIRED");
}

/** The options of a sign-in without an address: `{flow, options}`. */
export const passkeyOptions = (service) => made(post(service, "/auth/passkey/options", {}));
export const signInByPasskey = (service, flow, credential, headers) =>
  post(service, "/auth/passkey", { flow, credential }, headers);

/** Codes of the step before, the present one and the next one: all of them are valid. */
export const validCodes = (secret) => [-1, 0, 1].map((offset) => totp(secret, stepNow() + offset));
