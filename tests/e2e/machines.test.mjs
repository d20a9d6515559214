// Service accounts over HTTP on the deployed Worker, with `oauth4webapi` as their client: discovery, client credentials,
// introspection and revocation. The rules are tested in process (`tests/api/oauth.rs`, `tests/api/introspection.rs`).
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import * as oauth from "oauth4webapi";

import { asUser, login, me, newIp, post, refresh, send, signUp } from "./support/client.mjs";
import { dump, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { platformAdmin } from "./support/roles.mjs";
import { startService } from "./support/service.mjs";

const URL_OF = "https://auth.example.com";
/** The client is at the public URL; its requests go to the service of the test. */
const options = (service) => ({
  [oauth.customFetch]: (url, init) => fetch(url.replace(URL_OF, service.origin), init),
});

describe("a service account", () => {
  let service, admin, account, server, client, authentication;
  before(async () => {
    service = await startService({ settings: { ALGORITHM: "EdDSA", PUBLIC_URL: URL_OF } });
    admin = await platformAdmin(service);
    const body = { name: "Gateway", scopes: ["introspect", "authz:check", "client-address"] };
    ({ body: account } = await asUser(service, admin.access, "POST", "/admin/service-accounts", body));
    client = { client_id: account.client_id };
    authentication = oauth.ClientSecretBasic(account.key);
    const issuer = new URL(URL_OF);
    const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...options(service) });
    server = await oauth.processDiscoveryResponse(issuer, found);
  });
  after(() => service.stop());

  const introspect = async (token) => {
    const response = await oauth.introspectionRequest(server, client, authentication, token, options(service));
    return oauth.processIntrospectionResponse(server, client, response);
  };
  const revoke = async (token) => {
    const response = await oauth.revocationRequest(server, client, authentication, token, options(service));
    return oauth.processRevocationResponse(response);
  };

  test("gets a token by either way of authentication, and uses it as a bearer", async () => {
    for (const way of [authentication, oauth.ClientSecretPost(account.key)]) {
      const parameters = new URLSearchParams({ scope: "authz:check" });
      const response = await oauth.clientCredentialsGrantRequest(server, client, way, parameters, options(service));
      const { access_token: token, scope } = await oauth.processClientCredentialsResponse(server, client, response);
      assert.equal(scope, "authz:check");
      const check = { user_id: admin.id, permission: "platform:administer" };
      assertSuccess(await asUser(service, token, "POST", "/authz/check", check), 200);
      assertEnvelope(await me(service, token), 403, "FORBIDDEN");
      assert.deepEqual((await introspect(token)).client_id, account.client_id);
    }
  });

  test("sees a session as it is at this moment, and ends it", async () => {
    const person = await signUp(service);
    const active = await introspect(person.access);
    assert.deepEqual([active.active, active.sub, active.iss], [true, String(person.id), URL_OF]);
    assert.equal((await introspect(person.refresh)).active, true);
    const { body } = await refresh(service, person.refresh);
    assert.equal((await introspect(person.refresh)).active, false);
    await revoke(body.access_token);
    await revoke(body.access_token);
    assert.deepEqual(await introspect(body.access_token), { active: false });
    assertEnvelope(await me(service, body.access_token), 401, "AUTH_TOKEN_REVOKED");
    assert.deepEqual(await introspect("nonsense"), { active: false });
  });

  test("names the client of a sign-in, and a stranger cannot", async () => {
    const person = await signUp(service);
    const backend = newIp();
    const headers = (key) => ({ "CF-Connecting-IP": backend, "X-Edge-Auth-Key": key, "X-Edge-Auth-Client": "8.8.4.4" });
    for (const [key, ip] of [[account.key, "8.8.4.4"], [account.key.replace(/.$/, "g"), backend]]) {
      const { body } = await login(service, person.user, headers(key));
      const sessions = await asUser(service, body.access_token, "GET", "/auth/sessions");
      assert.equal(sessions.body.sessions.find(({ current }) => current).ip, ip);
    }
    const events = await rows(service.db, "SELECT ip FROM audit_events WHERE type = 'service_network_used'");
    assert.deepEqual(events, [{ ip: backend }]);
  });

  test("leaves no secret in the database or in the log", async () => {
    const secret = account.key.split("_")[3];
    const text = (await dump(service.db)) + service.logLines().join("\n");
    assert.ok(!text.includes(secret));
    const { status } = await post(service, "/oauth/introspect", { token: "x" });
    assert.equal(status, 401, "a body is not read before a credential");
    assert.equal((await send(service, "/oauth/introspect", { method: "POST" })).status, 401);
  });
});
