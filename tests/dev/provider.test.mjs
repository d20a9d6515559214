// `make dev PROVIDER=on`: one command starts the service and an OpenID provider, a demo account signs in, and one Ctrl-C ends
// both.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Browser } from "../e2e/support/providers/browser.mjs";
import { freePort, startDev, stopDev } from "./support/dev.mjs";

const ADA = "ada@example.com";

test("a demo account signs in, and Ctrl-C ends service and provider", async (t) => {
  const state = mkdtempSync(join(tmpdir(), "edge-auth-provider-"));
  const [port, providerPort] = [await freePort(), await freePort()];
  const more = ["PROVIDER=on", `PROVIDER_PORT=${providerPort}`];
  const server = await startDev({ state, args: "--var PASSWORD_ITERATIONS:2000", port, more });
  let isStopped;
  const stop = () => (isStopped ??= stopDev(server));
  t.after(async () => {
    await stop();
    rmSync(state, { recursive: true, force: true });
  });
  const [service, issuer] = [`http://localhost:${port}`, `http://localhost:${providerPort}`];
  assert.match(server.output(), new RegExp(`▸ Provider at ${issuer}`));
  const post = async (path, body, access) => {
    const headers = { "Content-Type": "application/json", ...(access && { Authorization: `Bearer ${access}` }) };
    const response = await fetch(server.api + path, { method: "POST", headers, body: JSON.stringify(body) });
    assert.equal(response.status, 200, `${path}: ${await response.clone().text()}`);
    return response.json();
  };
  const { flow, authorize_url: url } = await post("/auth/federated/local", { return_url: `${service}/account` });
  assert.ok(url.startsWith(`${issuer}/`));
  const browser = new Browser();
  const callback = await browser.leave(url, (page) => {
    return page.includes('value="login"') ? { answer: "login", account: ADA } : { answer: "consent" };
  });
  assert.ok(callback.startsWith(`${service}/auth/federated/local/callback?`));
  const { location } = await browser.request(callback.replace(service, server.api));
  assert.ok(location.startsWith(`${service}/account#code=`), location);
  const code = new URLSearchParams(new URL(location).hash.slice(1)).get("code");
  const { access_token: access } = await post("/auth/federated/exchange", { flow, code });
  const me = await fetch(`${server.api}/users/me`, { headers: { Authorization: `Bearer ${access}` } });
  assert.equal((await me.json()).email, ADA);
  await stop();
  for (const address of [issuer, server.api]) {
    await assert.rejects(fetch(address), `${address} answers`);
  }
});
