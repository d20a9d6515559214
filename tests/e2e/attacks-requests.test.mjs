// Requests that try to set privileged values, or to write where only the service writes: privileged members of
// bodies, control characters, forged log lines. At this level, because bodies and headers come in as a
// real client sends them, and the console is the deployed one. Stopping the service checks that the whole log of
// the file is well-formed and free of secrets.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import {
  asUser,
  from,
  listSessions,
  login,
  me,
  newUser,
  post,
  refresh,
  register,
  send,
  sendBytes,
  signUp,
  updateProfile,
} from "./support/client.mjs";
import { eventsOf, inShort, rows, userRow } from "./support/database.mjs";
import { assertEnvelope, assertFaults, assertSuccess } from "./support/envelope.mjs";
import { loggedOf, loggedText } from "./support/logs.mjs";
import { decode } from "./support/tokens.mjs";
import { startWatched } from "./support/watched.mjs";

let service;
before(async () => (service = await startWatched()));
after(() => service.end());

/** Members that an attacker adds in the hope that the service accepts them. */
const PRIVILEGED = {
  id: 1,
  user_id: 1,
  sub: "1",
  is_active: false,
  is_admin: true,
  admin: true,
  role: "PLATFORM_ADMIN",
  roles: [{ university_id: null, department_id: null, role: "PLATFORM_ADMIN" }],
  created_at: "1970-01-01T00:00:00.000Z",
  password_hash: "$pbkdf2-sha256$i=1,l=32$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
  password_version: 99,
  failures: 0,
  blocked_until: 0,
  erasure_cursor: 0,
  session_id: 1,
  sid: "1",
  expires_in: 999_999_999,
  ["__proto__"]: { is_active: false },
  constructor: { prototype: { is_active: false } },
};
/** Everything of a user but the changeable members. */
const fixed = ({ full_name: _, password_hash: __, password_version: ___, ...rest }) => rest;

describe("privileged members of a body have no effect", () => {
  test("when registering", async () => {
    const first = await signUp(service);
    const user = newUser();
    const before = Date.now();
    const response = await register(service, { ...PRIVILEGED, ...user });
    assertSuccess(response, 201);
    const { id, is_active: isActive, created_at: createdAt, expires_in: expiresIn } = response.body;
    assert.ok(id > first.id);
    assert.deepEqual([isActive, expiresIn], [true, 900]);
    assert.ok(Date.parse(createdAt) >= before);
    const row = await userRow(service.db, id);
    assert.notEqual(row.password_hash, PRIVILEGED.password_hash);
    assert.deepEqual([row.is_active, row.password_version, row.erasure_cursor], [1, 1, null]);
    assert.deepEqual((await me(service, response.body.access_token)).body.roles, []);
    assert.equal(decode(response.body.access_token).claims.sub, String(id));
  });

  test("when signing in and refreshing", async () => {
    const [victim, attacker] = [await signUp(service), await signUp(service)];
    const stolen = { user_id: victim.id, id: victim.id, sub: String(victim.id), sid: decode(victim.access).claims.sid };
    const signedIn = await post(service, "/auth/login", { ...PRIVILEGED, ...stolen, ...attacker.user });
    const refreshed = await post(service, "/auth/refresh", {
      ...PRIVILEGED,
      ...stolen,
      refresh_token: signedIn.body.refresh_token,
    });
    for (const { body } of [signedIn, refreshed]) {
      const { sub, sid } = decode(body.access_token).claims;
      assert.equal(sub, String(attacker.id));
      assert.notEqual(sid, stolen.sid);
      assert.equal(body.expires_in, 900);
    }
  });

  test("when changing the profile, one's own or with another user's id", async () => {
    const [victim, attacker] = [await signUp(service), await signUp(service)];
    const [before, victimBefore] = [await userRow(service.db, attacker.id), await userRow(service.db, victim.id)];
    const others = { id: victim.id, user_id: victim.id, email: "taken-over@mail.example", password: "taken over" };
    const change = { ...PRIVILEGED, ...others, full_name: "Mallory" };
    const response = await updateProfile(service, attacker.access, change);
    assertSuccess(response, 200);
    const shown = (await me(service, attacker.access)).body;
    assert.deepEqual(response.body, shown);
    assert.deepEqual([shown.id, shown.full_name], [attacker.id, "Mallory"]);
    assert.deepEqual(await userRow(service.db, attacker.id), { ...before, full_name: "Mallory" });
    assert.deepEqual(await userRow(service.db, victim.id), victimBefore);
  });

  test("when changing the password", async () => {
    const [victim, attacker] = [await signUp(service), await signUp(service)];
    const [before, victimBefore] = [await userRow(service.db, attacker.id), await userRow(service.db, victim.id)];
    const password = "the attacker's next passphrase";
    const response = await asUser(service, attacker.access, "PUT", "/users/me/password", {
      ...PRIVILEGED,
      id: victim.id,
      user_id: victim.id,
      email: victim.user.email,
      full_name: "Mallory",
      current_password: attacker.user.password,
      new_password: password,
    });
    assertSuccess(response, 200);
    assert.deepEqual(Object.keys(response.body), ["message"]);
    const row = await userRow(service.db, attacker.id);
    assert.deepEqual([fixed(row), row.full_name], [fixed(before), before.full_name]);
    assert.equal(row.password_version, 2);
    assert.deepEqual(await userRow(service.db, victim.id), victimBefore);
    assertSuccess(await login(service, { ...attacker.user, password }), 200);
    assertEnvelope(await login(service, { ...victim.user, password }), 401, "AUTH_INVALID_CREDENTIALS");
  });
});

describe("a change of the profile", () => {
  test("leaves members that it does not name unchanged, and then records no event", async () => {
    const { id, access, user } = await signUp(service);
    for (const change of [{}, { name: "x" }, { fullname: "x" }, { "full_name ": "x" }, { FULL_NAME: null }]) {
      const response = await updateProfile(service, access, change);
      assertSuccess(response, 200);
      assert.equal(response.body.full_name, user.full_name);
    }
    assert.deepEqual(inShort(await eventsOf(service.db, id)), ["registered"]);
  });

  test("clears the name with null or a blank one, and trims it", async () => {
    const { id, access } = await signUp(service);
    const named = async (name) => (await updateProfile(service, access, { full_name: name })).body.full_name;
    assert.deepEqual([await named("  Grace Hopper\t"), await named(null)], ["Grace Hopper", null]);
    assert.deepEqual([await named("Grace"), await named(" \t\n ")], ["Grace", null]);
    assert.deepEqual([await named("Grace"), await named("")], ["Grace", null]);
    const events = inShort(await eventsOf(service.db, id));
    assert.deepEqual(events, ["registered", ...Array(6).fill("profile_changed")]);
  });

  test("accepts any human name, and none with control characters or of excessive length", async () => {
    const { id, access } = await signUp(service);
    const names = ["Zoë O’Neill-Müller", "李小龍", "محمد", "👩‍💻", "<script>alert(1)</script>", "'; DROP TABLE users; --"];
    for (const name of names) {
      const response = await updateProfile(service, access, { full_name: name });
      assertSuccess(response, 200);
      assert.equal(response.body.full_name, name);
    }
    const kept = await userRow(service.db, id);
    for (const control of ["\0", "\n", "\r\n", "\t", "\u001b[31m", "\u007f", "\u0085", "\u009b"]) {
      const response = await updateProfile(service, access, { full_name: `Ada${control}Lovelace` });
      assertFaults(response, "full_name: value_error");
    }
    assertFaults(await updateProfile(service, access, { full_name: "é".repeat(201) }), "full_name: string_too_long");
    for (const other of [1, true, [], {}, ["Ada"]]) {
      assertFaults(await updateProfile(service, access, { full_name: other }), "full_name: type_error");
    }
    assert.deepEqual(await userRow(service.db, id), kept);
    assertSuccess(await updateProfile(service, access, { full_name: "é".repeat(200) }), 200);
  });

  test("with two names in one body, or none at all, is refused", async () => {
    const { access } = await signUp(service);
    const headers = { Authorization: `Bearer ${access}`, "Content-Type": "application/json" };
    const patch = (body) => send(service, "/users/me", { method: "PATCH", headers, body });
    for (const body of ['{"full_name":"Ada","full_name":"Mallory"}', "", "{"]) {
      assertFaults(await patch(body), "body: json_invalid");
    }
    for (const body of ["null", "[]", '"Ada"']) {
      assertFaults(await patch(body), "body: type_error");
    }
  });
});

describe("client-supplied text in headers, paths and bodies", () => {
  const FORGED = '{"timestamp":"2026-01-01T00:00:00.000Z","level":"ERROR","name":"app.forged","message":"forged"}';

  /** The service logged its usual lines for such a request, and no forged one. */
  async function assertOwnLinesOnly(response, count) {
    const lines = await loggedOf(service, response);
    assert.equal(lines.length, count, JSON.stringify(lines));
    assert.deepEqual(service.logs((line) => line.name === "app.forged" || line.message === "forged"), []);
  }

  test("does not forge a log line as a user agent, nor is it logged at all", async () => {
    const agent = `Mozilla/5.0\t${FORGED}`;
    const response = await login(service, newUser(), from("192.0.2.9", agent));
    assertEnvelope(response, 401, "AUTH_INVALID_CREDENTIALS");
    await assertOwnLinesOnly(response, 3);
    assert.ok(!(await loggedText(service)).join("\n").includes("Mozilla"));
  });

  test("does not become a request id unless it is well-formed", async () => {
    for (const id of [FORGED, 'a","level":"ERROR', "a b", "a\tb", "\u00e9", "x".repeat(129), "../../etc", "a;b"]) {
      const response = await send(service, "/nowhere", { headers: { "X-Request-ID": id } });
      assertEnvelope(response, 404, "NOT_FOUND");
      assert.match(response.headers["x-request-id"], /^[0-9a-f]{32}$/);
      await assertOwnLinesOnly(response, 3);
    }
  });

  test("does not reach the log through a path or a query", async () => {
    const encoded = encodeURIComponent(`\n${FORGED}\r\n`);
    const queries = [`/health?${encoded}`, `/users/me/export?cursor=${encoded}`];
    for (const path of [`/${encoded}`, `/auth/sessions/${encoded}`, ...queries]) {
      await assertOwnLinesOnly(await send(service, path), path.startsWith("/health") ? 2 : 3);
    }
    const { access, user } = await signUp(service);
    const mistaken = [`/users/${user.email}`, `/reset/${access}`, `/users/${encodeURIComponent(user.email)}/edit`];
    for (const path of mistaken) {
      const [started] = await loggedOf(service, await send(service, path));
      assert.match(started.path, /\[redacted\]/);
    }
  });

  test("does not reach the log through a body, accepted or refused", async () => {
    const name = `Ada ${FORGED}`;
    assertSuccess(await register(service, { ...newUser(), full_name: name }), 201);
    const quoted = JSON.stringify({ email: `\n${FORGED}`, password: `\n${FORGED}\n` });
    for (const body of [FORGED, `"${FORGED}`, quoted, `\n${FORGED}\n${FORGED}`]) {
      const response = await post(service, "/auth/login", body);
      assertEnvelope(response, 422, "VALIDATION_ERROR");
      await assertOwnLinesOnly(response, 3);
    }
    assert.ok(!(await loggedText(service)).join("\n").includes("app.forged"));
  });

  test("is kept of a user agent without control characters and up to 256 code points", async () => {
    // Anything that a header can carry: bytes, some of them control characters in Latin-1, and any UTF-8.
    const bytes = (text) => Buffer.from(text).toString("latin1");
    const cases = [
      [bytes("Browser\tof\u0085 many\u009bcolours"), "Browserof manycolours"],
      [bytes("Größe/1.0 (日本)"), "Größe/1.0 (日本)"],
      ["a".repeat(5000), "a".repeat(256)],
      [bytes("é".repeat(300)), "é".repeat(256)],
      ["   padded   ", "padded"],
      ["\t \t", null],
      ["<script>alert('x')</script>", "<script>alert('x')</script>"],
    ];
    for (const [sent, kept] of cases) {
      const { id, access, refresh: token } = await signUp(service, newUser(), { "User-Agent": sent });
      const [session] = (await listSessions(service, access)).body.sessions;
      assert.equal(session.user_agent, kept);
      assertSuccess(await refresh(service, token, { "User-Agent": sent }), 200);
      const events = await eventsOf(service.db, id);
      assert.deepEqual(events.map((event) => event.user_agent), [kept]);
      const [{ user_agent: stored }] = await rows(service.db, "SELECT user_agent FROM sessions WHERE user_id = ?1", id);
      assert.equal(stored, kept);
    }
    const { access } = await signUp(service, newUser(), { "User-Agent": "" });
    assert.equal((await listSessions(service, access)).body.sessions[0].user_agent, null);
  });

  test("is not kept at all of a user agent with bytes that are invalid in a header", async () => {
    for (const control of ["\u001b[31m", "\u0001", "\u007f", "\b"]) {
      const user = newUser();
      const body = JSON.stringify(user);
      const head = ["POST /auth/register HTTP/1.1", "Host: service", "Connection: close", `User-Agent: a${control}b`];
      const more = [`X-Request-ID: a${control}b`, "Content-Type: application/json", `Content-Length: ${body.length}`];
      const answer = await sendBytes(service, Buffer.from([...head, ...more, "", body].join("\r\n"), "latin1"));
      assert.match(answer, /^HTTP\/1.1 201 /);
      assert.match(answer, /\r\nX-Request-ID: [0-9a-f]{32}\r\n/i);
      const sql = "SELECT s.user_agent FROM sessions AS s JOIN users AS u ON u.id = s.user_id WHERE u.email = ?1";
      assert.deepEqual(await rows(service.db, sql, user.email), [{ user_agent: null }]);
    }
  });
});
