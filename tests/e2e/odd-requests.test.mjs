// Requests that no ordinary client sends: the Worker answers all that reach it in its own format. At this
// level, because the runtime and its types stand between such bytes and the router. Requests that workerd's own
// HTTP parser refuses (an unknown method, a target over 64 KiB, a raw byte in it) never reach the Worker.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { me, newUser, register, send, signUp } from "./support/client.mjs";
import { assertCommonHeaders, assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { assertLogLine, loggedOf, loggedText } from "./support/logs.mjs";
import { startService } from "./support/service.mjs";

let service;
before(async () => (service = await startService()));
after(() => service.stop());

test("methods of other protocols are refused on known paths and unknown ones", async () => {
  const methods = ["PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "REPORT", "PURGE"];
  for (const method of [...methods, "QUERY", "TRACE", "NOTIFY", "SUBSCRIBE"]) {
    const known = await send(service, "/auth/login", { method });
    assertEnvelope(known, 405, "METHOD_NOT_ALLOWED");
    assert.equal(known.headers.allow, "POST");
    assertEnvelope(await send(service, "/nowhere", { method }), 404, "NOT_FOUND");
  }
});

test("paths that leave the tree, in any encoding, lead nowhere", async () => {
  const paths = [
    "/../../etc/passwd",
    "/..%2f..%2fetc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/auth/..%2fhealth",
    "/auth/..%5chealth",
    "/..;/health",
    "/health/../openapi.yaml/",
    "/public/openapi.json",
    "//health",
    "//mail.example/health",
    "/health%2f",
    "/health%00",
    "/health%0d%0aX-Evil:1",
    "/%68ealth",
    "/auth%2flogin",
    "/users/me;v=1",
    "/users/%6de",
    "/%",
    "/%zz",
    "/%00",
    "/%ff%fe",
    "/%c0%ae%c0%ae/",
    "/%e2%80%ae",
    "/{id}",
    "/auth/{*rest}",
    "/|",
    '/"',
    "/[::1]",
    "/:user@host",
  ];
  for (const path of paths) {
    assertEnvelope(await send(service, path), 404, "NOT_FOUND");
  }
});

test("dot segments in a path are resolved as in any URL, and do not change the access rules", async () => {
  for (const path of ["/auth/../users/me", "/health/%2e%2e/users/me", "/./users/me", "/users/./me?x=%00#part"]) {
    assertEnvelope(await send(service, path), 401, "AUTH_TOKEN_INVALID");
  }
  assertSuccess(await send(service, "/auth/../health"), 200);
});

test("very long targets are answered like any other, up to the runtime's limit", async () => {
  for (const length of [4_000, 16_000, 65_000, 65_500, 65_530]) {
    assertEnvelope(await send(service, `/${"a".repeat(length)}`), 404, "NOT_FOUND");
  }
  assertEnvelope(await send(service, "/%2f".repeat(16_000)), 404, "NOT_FOUND");
  assertSuccess(await send(service, `/health?${"q".repeat(60_000)}`), 200);
});

test("headers with bytes beyond ASCII are read as far as possible", async () => {
  const odd = "caf\u00e9 \u00ff\u0080";
  for (const name of ["User-Agent", "X-Anything", "Cookie", "Origin", "Authorization"]) {
    assertSuccess(await send(service, "/health", { headers: { [name]: odd } }), 200);
  }
  for (const value of [`Bearer ${odd}`, odd, `Bearer a.b.\u00ff`]) {
    assertEnvelope(await me(service, "", { Authorization: value }), 401, "AUTH_TOKEN_INVALID");
  }
  const headers = { "Content-Type": `application/json${odd}` };
  const refused = await send(service, "/auth/login", { method: "POST", headers, body: "{}" });
  assertEnvelope(refused, 415, "UNSUPPORTED_MEDIA_TYPE");
  const named = await send(service, "/nowhere", { headers: { "X-Request-ID": odd } });
  assertEnvelope(named, 404, "NOT_FOUND");
  assert.match(named.headers["x-request-id"], /^[0-9a-f]{32}$/);
});

test("very large and repeated headers do no harm", async () => {
  const large = "x".repeat(60_000);
  assertSuccess(await send(service, "/health", { headers: { "X-Anything": large } }), 200);
  assertEnvelope(await me(service, large), 401, "AUTH_TOKEN_INVALID");
  const twice = { "Content-Type": ["application/json", "text/plain"] };
  const response = await send(service, "/auth/login", { method: "POST", headers: twice, body: "{}" });
  assertEnvelope(response, 415, "UNSUPPORTED_MEDIA_TYPE");
});

test("a body on a request that takes none is ignored", async () => {
  const { access } = await signUp(service);
  const headers = { Authorization: `Bearer ${access}`, "Content-Type": "application/json" };
  assertSuccess(await send(service, "/users/me", { headers, body: "{no json" }), 200);
  assertSuccess(await send(service, "/health", { body: "x".repeat(20_000) }), 200);
  assertEnvelope(await send(service, "/nowhere", { method: "POST", body: "x".repeat(20_000) }), 404, "NOT_FOUND");
});

test("HEAD is answered like GET, without a body", async () => {
  const { access } = await signUp(service);
  const headers = { Authorization: `Bearer ${access}` };
  for (const path of ["/health", "/openapi.json", "/users/me"]) {
    const response = await send(service, path, { method: "HEAD", headers });
    assert.equal(response.status, 200);
    assert.equal(response.text, "");
    assertCommonHeaders(response);
    assert.equal(response.headers["content-type"], "application/json");
  }
});

test("HEAD of a refused request is answered like GET, without a body", async () => {
  for (const [path, status] of [["/nowhere", 404], ["/users/me", 401], ["/auth/login", 405]]) {
    const response = await send(service, path, { method: "HEAD" });
    assert.equal(response.status, status);
    assert.equal(response.text, "");
    assertCommonHeaders(response);
    const { headers } = await send(service, path);
    const names = (all) => Object.keys(all).filter((name) => name !== "content-length").sort();
    assert.deepEqual(names(response.headers), names(headers));
    assert.equal(response.headers["content-type"], "application/json");
  }
});

test("HEAD declares the length that GET would have sent, also of refusals", async () => {
  for (const path of ["/health", "/nowhere", "/users/me"]) {
    const [head, get] = [await send(service, path, { method: "HEAD" }), await send(service, path)];
    assert.ok([undefined, get.headers["content-length"]].includes(head.headers["content-length"]), path);
  }
});

test("no request forges a log line: hostile paths and ids stay inside their fields", async () => {
  const lines = '%0a{"level":"ERROR"}%0d%0a%1b[31m';
  const response = await send(service, `/${lines}`, { headers: { "X-Request-ID": '"},{"level":"ERROR' } });
  assertEnvelope(response, 404, "NOT_FOUND");
  assert.match(response.headers["x-request-id"], /^[0-9a-f]{32}$/);
  const own = await loggedOf(service, response);
  assert.deepEqual(own.map((line) => line.level), ["INFO", "WARNING", "INFO"]);
  assert.ok(own[0].path.includes("%0a"), own[0].path);
  await register(service, { ...newUser(), full_name: 'x","level":"ERROR' });
  (await loggedText(service)).forEach(assertLogLine);
  assert.deepEqual(service.logs((line) => line.level === "ERROR"), []);
});
