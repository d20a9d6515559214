// npm `oidc-provider` as the provider of a test, and a person that signs in there.
import * as oauth from "oauth4webapi";

import { Browser } from "./browser.mjs";
import { startOpenIdProvider } from "../../../../scripts/provider/openid-provider.mjs";

export { Browser };

/** The answer of a person to a page of the provider: the values of its form. */
function answers({ account, isRefusing }) {
  return (text, status) => {
    const [, answer] = text.match(/<button name="answer" value="(login|consent)"/) ?? [];
    if (status !== 200 || answer === undefined || text.includes('role="alert"')) {
      throw new Error(`the provider said ${status} ${text}`);
    }
    return isRefusing ? { answer: "cancel" } : { answer, ...(answer === "login" && { account }) };
  };
}

/**
 * A provider of the test `t`, with the options of `startOpenIdProvider`. Without `t` the caller stops it.
 * `authorize(url, {account, isRefusing, browser})` does the part of a person at the provider. It returns the URL of the callback,
 * to which the provider sends the browser, and does not fetch it. A `browser` of an earlier sign-in has its cookies.
 */
export async function startProvider(t, options) {
  const provider = await startOpenIdProvider(options);
  t?.after(() => provider.stop());
  const authorize = (url, { browser = new Browser(), ...person } = {}) => browser.leave(url, answers(person));
  return { ...provider, authorize };
}

/**
 * An app with the SDK of a provider: a real client library signs the person in, and returns the ID token for this nonce.
 * @param {{id: string, redirectUris: string[]}} client a public one of the provider
 */
export async function idTokenOfApp(provider, client, { nonce, account }) {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(provider.issuer);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
  const [verifier, redirect_uri] = [oauth.generateRandomCodeVerifier(), client.redirectUris[0]];
  const asked = { client_id: client.id, response_type: "code", scope: "openid email", redirect_uri, nonce, state: "state" };
  const pkce = { code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" };
  const url = `${server.authorization_endpoint}?${new URLSearchParams({ ...asked, ...pkce })}`;
  const callback = new URL(await provider.authorize(url, { account }));
  const app = { client_id: client.id };
  const answer = oauth.validateAuthResponse(server, app, callback, "state");
  const request = [server, app, oauth.None(), answer, redirect_uri, verifier, insecure];
  const response = await oauth.authorizationCodeGrantRequest(...request);
  const tokens = await oauth.processAuthorizationCodeResponse(server, app, response, { expectedNonce: nonce });
  return tokens.id_token;
}
