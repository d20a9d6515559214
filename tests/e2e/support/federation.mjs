// A service that knows providers, and the steps of a sign-in with one of them.
import assert from "node:assert/strict";

import { asUser, me, post, send } from "./client.mjs";
import { rows } from "./database.mjs";
import { assertCommonHeaders, assertSuccess } from "./envelope.mjs";
import { PUBLIC_URL } from "./mailbox.mjs";
import { decode, sign } from "./tokens.mjs";

export const CLIENT_ID = "edge-auth-at-a-provider";
export const CLIENT_SECRET = "secret-of-a-client-5f8a21c0";
export const NATIVE_ID = "app-of-edge-auth";
export const RETURN_URL = "https://app.example.com/signed-in?from=login";
export const redirectUri = (id) => `${PUBLIC_URL}/auth/federated/${id}/callback`;

const nameOf = (id) => id.toUpperCase().replaceAll("-", "_");

/**
 * Settings for providers by their id. An entry has the members of `FEDERATION`, and perhaps `secret` and `audiences`; a `secret`
 * of null is left out.
 */
export function federated(providers, settings = {}) {
  const all = { PUBLIC_URL, FEDERATION_ALLOW_PRIVATE: "on", FEDERATION_RETURN_URLS: JSON.stringify([RETURN_URL]) };
  const list = Object.entries(providers).map(([id, { secret = CLIENT_SECRET, audiences, ...entry }]) => {
    const prefix = `FEDERATION_${nameOf(id)}`;
    all[`${prefix}_CLIENT_ID`] = CLIENT_ID;
    all[`${prefix}_CLIENT_SECRET`] = secret ?? undefined;
    all[`${prefix}_AUDIENCES`] = audiences && JSON.stringify(audiences);
    return { id, ...entry };
  });
  return { ...all, FEDERATION: JSON.stringify(list), ...settings };
}

/** A client of the service at a provider of the tests. */
export const clientAt = (id, changes = {}) => ({
  id: CLIENT_ID,
  secret: CLIENT_SECRET,
  redirectUris: [redirectUri(id)],
  ...changes,
});

export const bearer = (access) => (access ? { Authorization: `Bearer ${access}` } : {});

/** The first step: `{authorize_url, flow}`, or `{flow, nonce}` for an app. */
export const start = (service, id, body = {}, headers = {}) =>
  post(service, `/auth/federated/${id}`, { return_url: RETURN_URL, ...body }, headers);

export async function started(service, id, body, headers) {
  const response = await start(service, id, body, headers);
  assertSuccess(response, 200);
  return response.body;
}

/** The browser comes to the URL of a callback, which names the public address of the service. */
export function arrive(service, url, headers = {}) {
  const { origin, pathname, search } = new URL(url);
  assert.equal(origin, PUBLIC_URL);
  return send(service, pathname + search, { headers });
}

/** The content of the fragment of the return URL: `{code}` or `{error}`. */
export function returned(response) {
  const { status, headers, text } = response;
  assert.equal(status, 303, text);
  assertCommonHeaders(response);
  assert.equal(headers["cache-control"], "no-store");
  assert.equal(headers["set-cookie"], undefined);
  assert.ok(headers.location.startsWith(`${RETURN_URL}#`), headers.location);
  const found = Object.fromEntries(new URLSearchParams(headers.location.slice(RETURN_URL.length + 1)));
  assert.equal(Object.keys(found).length, 1, headers.location);
  return found;
}

/**
 * A whole visit at a provider: `{flow, callback, response, code, error}`. `authorize` goes from the `authorize_url` to the
 * callback, as a browser and a person do.
 */
export async function visit(service, id, authorize, { body, headers } = {}) {
  const { flow, authorize_url: url } = await started(service, id, body, headers);
  const callback = await authorize(url);
  const response = await arrive(service, callback);
  return { flow, callback, response, ...returned(response) };
}

export const exchange = (service, { flow, code }, headers = {}, more = {}) =>
  post(service, "/auth/federated/exchange", { flow, code, ...more }, headers);
export const presentIdToken = (service, id, flow, idToken, headers = {}) =>
  post(service, `/auth/federated/${id}/id-token`, { flow, id_token: idToken }, headers);
export const confirmByCode = (service, flow, code, headers = {}) =>
  post(service, "/auth/federated/confirm", { flow, code }, headers);

/** A visit and its exchange; the response. */
export async function signInAt(service, id, authorize, headers = {}) {
  const { error, ...found } = await visit(service, id, authorize);
  assert.equal(error, undefined, "the browser came back without a code");
  return exchange(service, found, headers);
}

/** The account that a sign-in opened: `{id, access, refresh, claims}`. */
export async function accountOf(response) {
  assertSuccess(response, 200);
  const { access_token: access, refresh_token: refresh } = response.body;
  const { claims } = decode(access);
  return { id: Number(claims.sub), access, refresh, claims };
}

/** Links an identity to the account of this token; the response of the exchange. */
export async function link(service, id, authorize, access) {
  const headers = bearer(access);
  return exchange(service, await visit(service, id, authorize, { body: { link: true }, headers }), headers);
}

export async function identitiesOf(service, access) {
  const response = await asUser(service, access, "GET", "/users/me/identities");
  assertSuccess(response, 200);
  return response.body.identities;
}

export const unlink = (service, access, id, body) => asUser(service, access, "DELETE", `/users/me/identities/${id}`, body);

export async function profileOf(service, access) {
  const response = await me(service, access);
  assertSuccess(response, 200);
  return response.body;
}

/** The same token after eleven minutes: a test cannot wait for that long. */
export function tired(access) {
  const { header, claims } = decode(access);
  return sign(header, { ...claims, auth_time: claims.auth_time - 660 });
}

/** The status of a refusal, its code, and its details. */
export function refusal({ status, body }) {
  assert.ok(body?.error, JSON.stringify(body));
  const { code, details } = body.error;
  return Object.keys(details).length === 0 ? `${status} ${code}` : `${status} ${code} ${Object.values(details)[0]}`;
}

/** Everything that a sign-in could leave behind, as numbers of rows. */
export async function stored(db) {
  const tables = ["users", "identities", "sessions", "mails", "email_proofs"];
  const counts = await Promise.all(tables.map((table) => rows(db, `SELECT count(*) AS count FROM ${table}`)));
  return Object.fromEntries(tables.map((table, index) => [table, counts[index][0].count]));
}

let people = 0;

/** A new person at a provider. */
export function newPerson(changes = {}) {
  people += 1;
  const sub = `person-${people}-at-a-provider`;
  return { sub, email: `federated-${people}@people.example`, email_verified: true, name: `Federated ${people}`, ...changes };
}
