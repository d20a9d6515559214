// Chromium's virtual authenticators (by the DevTools protocol), and a page of the service's origin on which scripts run the
// ceremonies as an application does.
import { once } from "node:events";
import { createServer } from "node:net";

import { startService } from "../../e2e/support/service.mjs";
import { openPage } from "./browser.mjs";

export const PATH = "/a-page-of-an-application";
const DOCUMENT = "<!doctype html><html lang=en><title>Application</title><link rel=icon href=data:,><p>Application</p></html>";
const OPTIONS = {
  protocol: "ctap2",
  ctap2Version: "ctap2_1",
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
};

/** A service at a name, with its origin as the only one: browsers take no IP address as RP ID, and an origin has its port. */
export async function startAtLocalhost() {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const settings = { WEBAUTHN_RP_ID: "localhost", WEBAUTHN_ORIGINS: JSON.stringify([origin]), PASSWORD_ITERATIONS: "1" };
  return { ...(await startService({ port, settings })), origin };
}

export async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** Opens the page, which the service does not know: Chromium's requests for it are answered here. */
export function openApplication(t, service, refusals) {
  const answer = (route) => route.fulfill({ contentType: "text/html", body: DOCUMENT });
  return openPage(t, service, PATH, {}, refusals, (context) => context.route(`**${PATH}`, answer));
}

/** A virtual authenticator of a page: `{id, credentials(), change(properties), remove()}`. */
export async function virtualAuthenticator(page, { isSynchronised = false, ...options } = {}) {
  const client = await page.context().newCDPSession(page);
  await client.send("WebAuthn.enable");
  const backup = { defaultBackupEligibility: isSynchronised, defaultBackupState: isSynchronised };
  const { authenticatorId } = await client.send("WebAuthn.addVirtualAuthenticator", { options: { ...OPTIONS, ...backup, ...options } });
  return {
    /** The passkeys in it. */
    credentials: async () => (await client.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
    /** Does its user pass the verification from now on? */
    verifies: (isUserVerified) => client.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
    remove: () => client.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId }),
  };
}

/** `navigator.credentials.create()` with these options: `{credential}` as JSON, or `{error}`, the name of the exception. */
export function create(page, options) {
  return page.evaluate(async (options) => {
    try {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
      return { credential: (await navigator.credentials.create({ publicKey })).toJSON() };
    } catch (error) {
      return { error: error.name };
    }
  }, options);
}

/** `navigator.credentials.get()`, the same. */
export function get(page, options) {
  return page.evaluate(async (options) => {
    try {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
      return { credential: (await navigator.credentials.get({ publicKey })).toJSON() };
    } catch (error) {
      return { error: error.name };
    }
  }, options);
}

/** One request of the page: `{status, body}`. */
export function call(page, path, body, { method = "POST", access } = {}) {
  return page.evaluate(
    async ([path, body, method, access]) => {
      const headers = { "Content-Type": "application/json", ...(access && { Authorization: `Bearer ${access}` }) };
      const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
      return { status: response.status, body: response.status === 204 ? null : await response.json() };
    },
    [path, body, method, access],
  );
}
