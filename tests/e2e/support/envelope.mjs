// The one shape that every error has, checked to the last member.
import assert from "node:assert/strict";

/** The headers that every response of the API has. */
export function assertCommonHeaders({ headers }) {
  assert.match(headers["x-request-id"], /^[A-Za-z0-9._-]{1,128}$/);
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["referrer-policy"], "no-referrer");
  assert.equal(headers["x-frame-options"], "DENY");
  assert.equal(headers["strict-transport-security"], undefined, "sent over plain http");
}

/** A success with JSON in it. */
export function assertSuccess(response, status) {
  assert.equal(response.status, status, response.text);
  assertCommonHeaders(response);
  assert.equal(response.headers["content-type"], "application/json");
  assert.equal(response.headers["cache-control"], "no-store");
}

/** An error: the envelope and nothing else. Returns its `details`. */
export function assertEnvelope(response, status, code) {
  const { headers, body, text } = response;
  assert.equal(response.status, status, text);
  assertCommonHeaders(response);
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["cache-control"], "no-store");
  assert.deepEqual(Object.keys(body), ["error", "request_id"], text);
  assert.deepEqual(Object.keys(body.error), ["code", "message", "details"], text);
  assert.equal(body.error.code, code);
  assert.equal(typeof body.error.message, "string");
  assert.notEqual(body.error.message.trim(), "");
  assert.equal(body.request_id, headers["x-request-id"]);
  if (code !== "VALIDATION_ERROR") {
    assert.deepEqual(body.error.details, {});
  }
  return body.error.details;
}

/** A 422 with exactly these faults, as `"email: missing"`; the body as a whole is `"body: …"`. */
export function assertFaults(response, ...expected) {
  const details = assertEnvelope(response, 422, "VALIDATION_ERROR");
  assert.deepEqual(Object.keys(details), ["errors"]);
  const faults = details.errors.map((fault) => {
    assert.deepEqual(Object.keys(fault), ["loc", "msg", "type"]);
    assert.equal(fault.loc[0], "body");
    assert.ok(fault.loc.length <= 2 && typeof fault.msg === "string" && fault.msg !== "");
    return `${fault.loc.at(-1)}: ${fault.type}`;
  });
  assert.deepEqual(faults.sort(), expected.sort(), response.text);
}
