// Bodies that are too large, not JSON, or invalid for the operation: 413, 415, 422, each with every fault at
// once. At this level, because sizes, chunks and broken bytes pass through the runtime's own reader first.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";

import { login, me, newUser, post, refresh, register, send, sendBytes, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertFaults, assertSuccess } from "./support/envelope.mjs";
import { startService } from "./support/service.mjs";

const MAX = 16_384;
/** Their token may be in a cookie, and then they have no body. */
const OPTIONAL = ["/auth/refresh", "/auth/logout"];
const ROUTES = ["/auth/register", "/auth/login", ...OPTIONAL];

let service;
before(async () => (service = await startService()));
after(() => service.stop());

/** A valid body, padded with blanks to this many bytes. */
function filled(value, length) {
  const text = JSON.stringify(value);
  return " ".repeat(length - text.length) + text;
}

test("a body over 16 KiB is refused by its Content-Length on every route", async () => {
  for (const path of ROUTES) {
    assertEnvelope(await post(service, path, " ".repeat(MAX + 1)), 413, "PAYLOAD_TOO_LARGE");
    assertEnvelope(await post(service, path, " ".repeat(4 * MAX)), 413, "PAYLOAD_TOO_LARGE");
  }
});

test("a body over 16 KiB without Content-Length is refused too", async () => {
  const body = Array.from({ length: 5 }, () => " ".repeat(4_000));
  for (const path of ROUTES) {
    const headers = { "Content-Type": "application/json" };
    assertEnvelope(await send(service, path, { method: "POST", headers, body }), 413, "PAYLOAD_TOO_LARGE");
  }
});

test("a body announced as too large is refused without waiting for it", async () => {
  const headers = { "Content-Type": "application/json", "Content-Length": "1000000" };
  const response = await new Promise((done, fail) => {
    const sent = request(`${service.origin}/auth/login`, { method: "POST", headers }, done);
    sent.on("error", fail);
    sent.flushHeaders();
  });
  assert.equal(response.statusCode, 413);
  response.destroy();
});

test("a chunked body is as long as its chunks, whatever length is announced (RFC 9112 §6.3)", async () => {
  const exchange = async (announced, body) => {
    const head = [
      "POST /auth/login HTTP/1.1",
      "Host: a",
      "Connection: close",
      "Content-Type: application/json",
      `Content-Length: ${announced}`,
      "Transfer-Encoding: chunked",
    ];
    const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    return (await sendBytes(service, Buffer.from(`${head.join("\r\n")}\r\n\r\n${chunks}`))).split("\r\n")[0];
  };
  const whole = JSON.stringify({ email: "nobody@mail.example", password: "some passphrase" });
  assert.match(await exchange(10, " ".repeat(4 * MAX)), / 413 /);
  assert.match(await exchange(10, whole), / 401 /);
  assert.match(await exchange(2 * MAX, whole), / 401 /);
});

test("JSON in JSON in JSON overflows no stack: neighbours and the next request are served", async () => {
  // `serde_json::Value` would parse the text of this member again, with a fresh depth limit each time.
  const name = "$serde_json::private::RawValue";
  const escape = (text) => text.replaceAll("\\", "\\u005c").replaceAll('"', "\\u0022");
  const nest = (levels) =>
    "[".repeat(125) + (levels > 0 ? `{"${name}":"${escape(nest(levels - 1))}"` : "");
  const bomb = `{"x":${nest(28)}`;
  assert.ok(bomb.length <= MAX);
  const { access } = await signUp(service);
  const neighbours = Array.from({ length: 10 }, () => me(service, access));
  for (const path of ROUTES) {
    assertEnvelope(await post(service, path, bomb), 422, "VALIDATION_ERROR");
  }
  (await Promise.all(neighbours)).forEach((response) => assertSuccess(response, 200));
  assertSuccess(await me(service, access), 200);
});

test("a body that never ends is refused as soon as it is too large", async () => {
  const { hostname, port } = new URL(service.origin);
  const headers = { "Content-Type": "application/json" };
  const endless = request({ hostname, port, path: "/auth/login", method: "POST", headers });
  endless.write(" ".repeat(MAX + 1));
  const status = await new Promise((resolve, reject) => {
    endless.on("response", (response) => resolve(response.statusCode));
    endless.on("error", reject);
  });
  endless.destroy();
  assert.equal(status, 413);
});

test("a body of exactly 16 KiB is read, in one piece and in several", async () => {
  const [user, other] = [newUser(), newUser()];
  assertSuccess(await post(service, "/auth/register", filled(user, MAX)), 201);
  assertEnvelope(await post(service, "/auth/register", filled(other, MAX + 1)), 413, "PAYLOAD_TOO_LARGE");
  const text = filled(user, MAX);
  const body = [text.slice(0, 5_000), text.slice(5_000, MAX - 3), text.slice(MAX - 3)];
  const headers = { "Content-Type": "application/json" };
  assertSuccess(await send(service, "/auth/login", { method: "POST", headers, body }), 200);
  assertEnvelope(await login(service, other), 401, "AUTH_INVALID_CREDENTIALS");
});

test("a body without a JSON media type is refused, and size comes first", async () => {
  const body = JSON.stringify(newUser());
  const types = [
    "text/plain",
    "text/json",
    "text/plain, application/json",
    "application/x-www-form-urlencoded",
    "application/jsonx",
    "application/json; charset=latin1",
    "multipart/form-data; boundary=x",
    "json",
    "*/*",
    "",
  ];
  for (const path of ROUTES) {
    for (const type of types) {
      assertEnvelope(await post(service, path, body, { "Content-Type": type }), 415, "UNSUPPORTED_MEDIA_TYPE");
    }
    assertEnvelope(await send(service, path, { method: "POST", body }), 415, "UNSUPPORTED_MEDIA_TYPE");
    const refusal = OPTIONAL.includes(path) ? [401, "AUTH_TOKEN_INVALID"] : [415, "UNSUPPORTED_MEDIA_TYPE"];
    assertEnvelope(await send(service, path, { method: "POST" }), ...refusal);
    const large = await send(service, path, { method: "POST", body: " ".repeat(MAX + 1) });
    assertEnvelope(large, 413, "PAYLOAD_TOO_LARGE");
  }
});

test("JSON is recognised by all its media types", async () => {
  const types = ["application/json;charset=utf-8", 'Application/JSON; charset="UTF-8"', "application/vnd.api+json"];
  for (const type of types) {
    assertSuccess(await post(service, "/auth/register", newUser(), { "Content-Type": type }), 201);
  }
});

test("a body that is not JSON is json_invalid on every route", async () => {
  const user = newUser();
  const text = JSON.stringify(user);
  const member = (value) => Buffer.concat([Buffer.from('{"email":"'), Buffer.from(value), Buffer.from('"}')]);
  const bodies = [
    ["nothing", ""],
    ["blanks", " \n\t "],
    ["a cut body", text.slice(0, -1)],
    ["two texts", text + text],
    ["a comma too many", text.replace("}", ",}")],
    ["a comment", `/* hello */${text}`],
    ["single quotes", text.replaceAll('"', "'")],
    ["not a number", '{"email":NaN}'],
    ["a number too large", `{"email":1e999}`],
    ["a byte order mark", Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)])],
    ["UTF-16", Buffer.from(text, "utf16le")],
    ["a raw line break in a string", '{"email":"a\n@b.example"}'],
    ["a byte that UTF-8 has not", member([0xff])],
    ["a cut UTF-8 sequence", member([0xc3])],
    ["an overlong UTF-8 sequence", member([0xc0, 0xaf])],
    ["a surrogate in UTF-8", member([0xed, 0xa0, 0x80])],
    ["a lone surrogate, escaped", '{"email":"\\ud800"}'],
    ["two members of one name", `{"email":"${user.email}",${text.slice(1)}`],
    ["two members of one name, one escaped", `{"\\u0065mail":"${user.email}",${text.slice(1)}`],
    ["two unknown members of one name", `{"x":1,"x":2,${text.slice(1)}`],
    ["10000 levels, open", `{"email":${"[".repeat(10_000)}`],
    ["8000 levels of lists", `{"email":${"[".repeat(8_000)}${"]".repeat(8_000)}}`],
    ["2700 levels of objects", `${'{"a":'.repeat(2_700)}1${"}".repeat(2_700)}`],
    ["8000 levels of lists and no object", "[".repeat(8_000) + "]".repeat(8_000)],
  ];
  for (const path of ROUTES) {
    for (const [name, body] of bodies.filter(([, body]) => body !== "" || !OPTIONAL.includes(path))) {
      const response = await post(service, path, body);
      assert.equal(response.status, 422, `${path}: ${name}`);
      assertFaults(response, "body: json_invalid");
    }
  }
  assertSuccess(await register(service, user), 201);
});

test("JSON that is not an object is a type_error of the body", async () => {
  const bodies = ["[]", '[{"email":"a@b.example"}]', '"text"', "1", "-1", "1.5", "1e20", "true", "null"];
  for (const path of ROUTES) {
    for (const body of bodies) {
      assertFaults(await post(service, path, body), "body: type_error");
    }
  }
});

test("every fault of a registration is listed at once, with its place and its type", async () => {
  const long = { email: `${"a".repeat(250)}@mail.example`, password: "x".repeat(129), full_name: "n".repeat(201) };
  const allTypes = ["email: type_error", "password: type_error", "full_name: type_error"];
  const cases = [
    [{}, "email: missing", "password: missing"],
    [{ email: "no-address", password: "short" }, "email: value_error.email", "password: string_too_short"],
    [long, "email: string_too_long", "password: string_too_long", "full_name: string_too_long"],
    [{ email: 1, password: [], full_name: {} }, ...allTypes],
    [{ email: null, password: null, full_name: false }, ...allTypes],
    [{ ...newUser(), full_name: "line\nbreak" }, "full_name: value_error"],
    [{ email: "ada@mail.example" }, "password: missing"],
    [{ email: "", password: "" }, "email: value_error.email", "password: string_too_short"],
    [{ password: "long enough", full_name: 7 }, "email: missing", "full_name: type_error"],
    [{ email: "ada@nodots", password: "long enough" }, "email: value_error.email"],
    [{ email: "a@b.example\u0000", password: "long enough" }, "email: value_error.email"],
  ];
  for (const [body, ...faults] of cases) {
    assertFaults(await register(service, body), ...faults);
  }
});

test("every fault of the other bodies is listed too", async () => {
  const signIn = (body) => post(service, "/auth/login", body);
  assertFaults(await signIn({}), "email: missing", "password: missing");
  assertFaults(await signIn({ email: 1, password: 2 }), "email: type_error", "password: type_error");
  assertFaults(await signIn({ email: "x", password: "y" }), "email: value_error.email");
  for (const path of OPTIONAL) {
    for (const body of ["", {}, { refresh_token: null }]) {
      assertEnvelope(await post(service, path, body), 401, "AUTH_TOKEN_INVALID");
    }
    for (const refresh_token of [1, ["a"], { a: 1 }, true]) {
      assertFaults(await post(service, path, { refresh_token }), "refresh_token: type_error");
    }
  }
});

test("a fault does not repeat the value that was sent", async () => {
  const responses = [
    await post(service, "/auth/register", { email: "not-to-be-repeated", password: "hush-hu" }),
    await post(service, "/auth/login", '{"password":"hush-hush-hush", not-to-be-repeated}'),
  ];
  responses.forEach(({ status, text }) => {
    assert.equal(status, 422);
    assert.doesNotMatch(text, /not-to-be-repeated|hush/);
  });
});

test("unknown members are ignored, and privileged ones have no effect", async () => {
  const user = newUser();
  const wishes = { id: 4711, is_active: false, roles: ["PLATFORM_ADMIN"], created_at: "1999-01-01T00:00:00Z" };
  const { status, body } = await register(service, { ...user, ...wishes, user_id: 1, sid: "1", ["__proto__"]: {} });
  assert.equal(status, 201);
  assert.notEqual(body.id, 4711);
  assert.equal(body.is_active, true);
  assert.ok(Date.parse(body.created_at) > Date.parse("2020-01-01"));
  assert.deepEqual((await me(service, body.access_token)).body.roles, []);
  assertSuccess(await post(service, "/auth/login", { ...user, ...wishes, remember: true }), 200);
  assertSuccess(await post(service, "/auth/refresh", { refresh_token: body.refresh_token, user_id: 1 }), 200);
});

test("text is stored as written: SQL, markup and emoji are only text", async () => {
  const names = ["Robert'); DROP TABLE users;--", "<script>alert(1)</script>", "Zoë 👩🏽‍💻 ﷽", '"\\', "%s %n"];
  for (const full_name of names) {
    const { access } = await signUp(service, { ...newUser(), full_name, password: `${full_name} as a password` });
    assert.equal((await me(service, access)).body.full_name, full_name);
  }
  const { body } = await register(service, { ...newUser(), full_name: "   " });
  assert.equal(body.full_name, null);
  assertSuccess(await refresh(service, body.refresh_token), 200);
  assert.ok((await rows(service.db, "SELECT id FROM users")).length > names.length);
});
