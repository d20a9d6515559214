// Inputs that pass the shell: headers that it hands on, and texts that the runtime's own tables decide.
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { after, before, test } from "node:test";

import { login, newUser, register, send } from "./support/client.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { startService } from "./support/service.mjs";

let service;
before(async () => (service = await startService()));
after(() => service.stop());

test("a compressed body is refused with the coding that is accepted", async () => {
  const headers = { "Content-Type": "application/json", "Content-Encoding": "gzip" };
  const response = await send(service, "/auth/login", { method: "POST", headers, body: gzipSync(JSON.stringify(newUser())) });
  assertEnvelope(response, 415, "UNSUPPORTED_MEDIA_TYPE");
  assert.equal(response.headers["accept-encoding"], "identity");
});

test("a file that the client has is not sent again", async () => {
  for (const path of ["/openapi.json", "/openapi.yaml", "/docs", "/docs/swagger-ui-bundle.js"]) {
    const { etag } = (await send(service, path)).headers;
    assert.match(etag, /^(W\/)?"[0-9a-f]{32}"$/);
    const again = await send(service, path, { headers: { "If-None-Match": etag } });
    assert.deepEqual([again.status, again.text, again.headers.etag], [304, "", etag], path);
    assert.equal((await send(service, path, { headers: { "If-None-Match": '"other"' } })).status, 200);
  }
});

test("all spellings of a mailbox are one account", async () => {
  const { password } = newUser();
  const spellings = ["jörg@bücher.example", "jo\u0308rg@BÜCHER.example", "JÖRG@xn--bcher-kva.example", "jörg@bücher。example"];
  const registered = await register(service, { email: spellings[0], password });
  assertSuccess(registered, 201);
  assert.equal(registered.body.email, "jörg@xn--bcher-kva.example");
  for (const email of spellings) {
    assertEnvelope(await register(service, { email, password }), 409, "CONFLICT");
    assertSuccess(await login(service, { email, password }), 200);
  }
  const hindi = await register(service, { email: "संपर्क@डाटामेल.भारत", password });
  assert.equal(hindi.body.email, "संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c");
  for (const email of ["a@①.②.③.④", "a@bücher.example:80", "a@bü%63her.example", "a@bücher"]) {
    assertEnvelope(await register(service, { email, password }), 422, "VALIDATION_ERROR");
  }
});
