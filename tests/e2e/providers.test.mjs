// The providers of the tests, against a client library of others (oauth4webapi): they are right where they are to be right, and
// each of their faults is one.
import assert from "node:assert/strict";
import { test } from "node:test";

import * as oauth from "oauth4webapi";

import { ID_TOKEN_FAULTS } from "./support/providers/forged.mjs";
import { gitHubUser, startGitHub } from "./support/providers/github.mjs";
import { startMockIssuer } from "./support/providers/mock-issuer.mjs";
import { Browser, startProvider } from "./support/providers/oidc-provider.mjs";

const REDIRECT = "https://auth.example.com/auth/federated/acme/callback";
const SECRET = "a secret of a client";
const ADA = { sub: "ada-1", email: "ada@example.com", email_verified: true, name: "Ada" };
const INSECURE = { [oauth.allowInsecureRequests]: true };
const NONCE = "nonce-of-a-flow";
const STATE = "state-of-a-flow";

async function discovered(issuer) {
  return oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), INSECURE));
}

/** One sign-in by the library; returns the claims. `authorize` takes the browser to the provider and to the callback. */
async function signedIn(server, { id, authentication, algorithm }, authorize, asked = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const challenge = await oauth.calculatePKCECodeChallenge(verifier);
  const parameters = { client_id: id, response_type: "code", redirect_uri: REDIRECT, scope: "openid email", state: STATE };
  const proofs = { nonce: NONCE, code_challenge: challenge, code_challenge_method: "S256" };
  const url = `${server.authorization_endpoint}?${new URLSearchParams({ ...parameters, ...proofs, ...asked })}`;
  const client = { client_id: id, id_token_signed_response_alg: algorithm };
  const answer = oauth.validateAuthResponse(server, client, new URL(await authorize(url)), STATE);
  const request = [server, client, authentication, answer, REDIRECT, verifier, INSECURE];
  const response = await oauth.authorizationCodeGrantRequest(...request);
  const options = { expectedNonce: NONCE, requireIdToken: true };
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, options);
  await oauth.validateApplicationLevelSignature(server, response, INSECURE);
  return oauth.getValidatedIdTokenClaims(tokens);
}

for (const [algorithm, auth] of [["RS256", "basic"], ["ES256", "post"], ["EdDSA", "none"]]) {
  test(`oidc-provider signs in with ${algorithm} and the client authentication ${auth}`, async (t) => {
    const client = { id: "app", secret: auth === "none" ? undefined : SECRET, redirectUris: [REDIRECT], auth, algorithm };
    const provider = await startProvider(t, { accounts: [ADA], clients: [client] });
    const server = await discovered(provider.issuer);
    const ways = { basic: oauth.ClientSecretBasic, post: oauth.ClientSecretPost, none: oauth.None };
    const browser = new Browser();
    const authorize = (url) => provider.authorize(url, { account: ADA.email, browser });
    const of = { ...client, authentication: ways[auth](SECRET) };
    const { sub, email, email_verified: isVerified, auth_time: first } = await signedIn(server, of, authorize);
    assert.deepEqual([sub, email, isVerified, first], [ADA.sub, ADA.email, true, undefined]);
    const again = await signedIn(server, of, authorize, { prompt: "login", max_age: "0" });
    assert.ok(Date.now() / 1000 - again.auth_time < 60);
  });
}

test("oidc-provider returns a refusal of the person, and no account that it does not have", async (t) => {
  const client = { id: "app", secret: SECRET, redirectUris: [REDIRECT] };
  const provider = await startProvider(t, { accounts: [ADA], clients: [client] });
  const { authorization_endpoint: endpoint } = await discovered(provider.issuer);
  const asked = { client_id: "app", response_type: "code", redirect_uri: REDIRECT, scope: "openid", state: STATE };
  const pkce = { code_challenge: "A".repeat(43), code_challenge_method: "S256" };
  const url = `${endpoint}?${new URLSearchParams({ ...asked, ...pkce })}`;
  const { searchParams } = new URL(await provider.authorize(url, { isRefusing: true }));
  assert.deepEqual([searchParams.get("error"), searchParams.get("state")], ["access_denied", STATE]);
  await assert.rejects(provider.authorize(url, { account: "eve@example.com" }), /No such account/);
});

for (const algorithm of ["RS256", "ES256", "EdDSA"]) {
  test(`the mock issuer signs in with ${algorithm} while it has no fault`, async (t) => {
    const mock = await startMockIssuer(t, algorithm);
    const of = { id: "app", authentication: oauth.ClientSecretBasic(SECRET), algorithm };
    const { sub, email } = await signedIn(await discovered(mock.issuer), of, (url) => mock.authorize(url));
    assert.deepEqual([sub, email], [mock.claims.sub, mock.claims.email]);
  });
}

/** Faults that this library does not look for: it knows neither the begin of a flow nor the clients of one owner. */
const LEFT_TO_THE_CALLER = [
  "an empty subject",
  "another azp with one audience",
  "issued before the flow began",
  "issued in the future",
];

test("each forged ID token is refused by the library", async (t) => {
  const mock = await startMockIssuer(t);
  const of = { id: "app", authentication: oauth.ClientSecretBasic(SECRET), algorithm: "RS256" };
  const server = await discovered(mock.issuer);
  const accepted = [];
  for (const [name, forge] of Object.entries(ID_TOKEN_FAULTS)) {
    mock.forge = forge;
    await signedIn(server, of, (url) => mock.authorize(url)).then(() => accepted.push(name), () => {});
  }
  assert.deepEqual(accepted.sort(), LEFT_TO_THE_CALLER);
});

test("the mock issuer fails at one endpoint and is healed, and counts requests", async (t) => {
  const mock = await startMockIssuer(t);
  mock.fail("discovery", "500");
  await assert.rejects(discovered(mock.issuer));
  mock.fail("discovery", "redirect");
  assert.equal((await fetch(`${mock.issuer}/.well-known/openid-configuration`)).status, 200);
  mock.heal();
  await discovered(mock.issuer);
  assert.deepEqual(["discovery", "elsewhere", "jwks"].map(mock.count), [3, 1, 0]);
  await mock.pause();
  await assert.rejects(discovered(mock.issuer));
  await mock.resume();
  await discovered(mock.issuer);
});

/** One sign-in at GitHub as its documentation describes it: the profile, the addresses, or the refusal of the code. */
async function atGitHub(github, { verifier = "v".repeat(43), secret = SECRET, scope = "user:email", headers = {} } = {}) {
  const challenge = await oauth.calculatePKCECodeChallenge("v".repeat(43));
  const asked = { client_id: "app", redirect_uri: REDIRECT, scope, state: STATE };
  const pkce = { code_challenge: challenge, code_challenge_method: "S256" };
  const url = `${github.url}/login/oauth/authorize?${new URLSearchParams({ ...asked, ...pkce })}`;
  const callback = await github.authorize(url);
  const code = new URL(callback).searchParams.get("code");
  const form = { client_id: "app", client_secret: secret, code, redirect_uri: REDIRECT, code_verifier: verifier };
  const request = { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(form) };
  const token = await (await fetch(`${github.url}/login/oauth/access_token`, request)).json();
  const get = async (path) => {
    const authorized = { Authorization: `Bearer ${token.access_token}`, ...headers };
    return (await fetch(`${github.url}/api/v3${path}`, { headers: authorized })).json();
  };
  return token.error ? token.error : { profile: await get("/user"), emails: await get("/user/emails") };
}

test("GitHub gives profile and addresses for a code, its verifier and the secret, and to a client with a name", async (t) => {
  const github = await startGitHub(t, { id: "app", secret: SECRET, redirectUri: REDIRECT });
  const { profile, emails } = await atGitHub(github);
  assert.deepEqual([profile.id, profile.login, emails], [583231, "octocat", gitHubUser().emails]);
  assert.equal(await atGitHub(github, { verifier: "w".repeat(43) }), "bad_verification_code");
  assert.equal(await atGitHub(github, { secret: "wrong" }), "incorrect_client_credentials");
  assert.equal((await atGitHub(github, { scope: "" })).emails.message, "Not Found");
  const anonymous = await atGitHub(github, { headers: { Authorization: "token x" } });
  assert.equal(anonymous.profile.message, "Bad credentials");
});
