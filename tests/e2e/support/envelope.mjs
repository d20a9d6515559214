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
  if (!["VALIDATION_ERROR", "AUTH_STEP_UP_REQUIRED", "AUTH_MFA_REQUIRED"].includes(code)) {
    assert.deepEqual(body.error.details, {});
  }
  return body.error.details;
}

/** The content of an answer, without the id of its request: for answers that must be indistinguishable. */
export function said({ status, headers, body }) {
  const { "x-request-id": requestId, date, ...otherHeaders } = headers;
  assert.equal(body.request_id, requestId);
  return { status, headers: otherHeaders, error: body.error, date: typeof date };
}

/** A 401 about a password that was asked for beside a good access token: nothing is wrong with the token. */
export function assertWrongPassword(response) {
  assertEnvelope(response, 401, "AUTH_INVALID_CREDENTIALS");
  assert.equal(response.headers["www-authenticate"], 'Bearer realm="edge-auth"');
}

/**
 * A 422 with exactly these faults, as `"email: missing"`; the body as a whole is `"body: …"`, a parameter
 * `"query.cursor: …"`.
 */
export function assertFaults(response, ...expected) {
  const details = assertEnvelope(response, 422, "VALIDATION_ERROR");
  assert.deepEqual(Object.keys(details), ["errors"]);
  const faults = details.errors.map((fault) => {
    assert.deepEqual(Object.keys(fault), ["loc", "msg", "type"]);
    assert.ok(["body", "query"].includes(fault.loc[0]));
    assert.ok(fault.loc.length <= 2 && typeof fault.msg === "string" && fault.msg !== "");
    const place = fault.loc[0] === "body" ? fault.loc.at(-1) : fault.loc.join(".");
    return `${place}: ${fault.type}`;
  });
  assert.deepEqual(faults.sort(), expected.sort(), response.text);
}
