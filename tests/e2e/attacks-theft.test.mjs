// A stolen refresh token: its second use reveals the theft, and the session is over for both parties
// (RFC 9700 §4.14.2). At this level, because the whole story happens over HTTP, as thief and victim experience it,
// and the evidence for an investigator is in the real database.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { from, listSessions, login, logout, me, newUser, refresh, signUp } from "./support/client.mjs";
import { eventsOf, inShort, rows, sessionRow } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { loggedOf } from "./support/logs.mjs";
import { decode, expired } from "./support/tokens.mjs";
import { startWatched } from "./support/watched.mjs";

const VICTIM = from("198.51.100.5", "Laptop/1.0");
const THIEF = from("192.0.2.66", "Thief/6.6.6");

const sessionOf = (token) => Number(decode(token).claims.sid);

async function assertOver(service, { access_token: access, refresh_token: token }) {
  assertEnvelope(await me(service, access), 401, "AUTH_TOKEN_REVOKED");
  assertEnvelope(await refresh(service, token), 401, "AUTH_TOKEN_REVOKED");
}

describe("with strict rotation", () => {
  let service;
  before(async () => (service = await startWatched()));
  after(() => service.end());

  const use = async (token, headers) => {
    const response = await refresh(service, token, headers);
    assertSuccess(response, 200);
    return response.body;
  };

  /** A victim with a session that was refreshed once, and another one elsewhere. */
  async function victim() {
    const person = await signUp(service, newUser(), VICTIM);
    const elsewhere = (await login(service, person.user, VICTIM)).body;
    const own = await use(person.refresh, VICTIM);
    return { ...person, own, elsewhere };
  }

  /** The evidence for an investigator: one event of reuse, of this session, from the client of the second use. */
  async function assertNoted({ id, own }, second, response) {
    const found = (await eventsOf(service.db, id)).filter((event) => event.type === "reuse_detected");
    assert.deepEqual(
      found.map(({ session_id: session, ip, user_agent: agent, reason }) => ({ session, ip, agent, reason })),
      [
        {
          session: sessionOf(own.refresh_token),
          ip: second["CF-Connecting-IP"],
          agent: second["User-Agent"],
          reason: null,
        },
      ],
    );
    assert.equal(found[0].request_id, response.headers["x-request-id"]);
    const [warning] = (await loggedOf(service, response)).filter((line) => /reuse/i.test(line.message));
    assert.deepEqual([warning.level, warning.user_id, warning.session_id], ["WARNING", id, found[0].session_id]);
    assert.equal(await sessionRow(service.db, found[0].session_id), undefined);
  }

  /** The victim's other sessions and a new sign-in still work. */
  async function assertUnharmed({ user, elsewhere }) {
    assertSuccess(await me(service, elsewhere.access_token), 200);
    const again = await login(service, user, VICTIM);
    assertSuccess(again, 200);
    assert.equal((await listSessions(service, again.body.access_token)).body.sessions.length, 2);
  }

  test("a thief that refreshes first loses everything when the victim refreshes", async () => {
    const person = await victim();
    const stolen = await use(person.own.refresh_token, THIEF);
    const more = await use(stolen.refresh_token, THIEF);
    assertSuccess(await me(service, more.access_token), 200);
    const response = await refresh(service, person.own.refresh_token, VICTIM);
    assertEnvelope(response, 401, "AUTH_TOKEN_REVOKED");
    await assertNoted(person, VICTIM, response);
    for (const tokens of [stolen, more, person.own]) {
      await assertOver(service, tokens);
    }
    await assertUnharmed(person);
  });

  test("a thief that refreshes second gets nothing, and the victim notices at the next refresh", async () => {
    const person = await victim();
    const next = await use(person.own.refresh_token, VICTIM);
    const response = await refresh(service, person.own.refresh_token, THIEF);
    assertEnvelope(response, 401, "AUTH_TOKEN_REVOKED");
    await assertNoted(person, THIEF, response);
    await assertOver(service, next);
    await assertUnharmed(person);
  });

  test("a thief with an old token is detected after any number of refreshes since", async () => {
    const person = await victim();
    let newest = person.own;
    for (let round = 0; round < 30; round += 1) {
      newest = await use(newest.refresh_token, VICTIM);
    }
    const response = await refresh(service, person.refresh, THIEF);
    assertEnvelope(response, 401, "AUTH_TOKEN_REVOKED");
    await assertNoted(person, THIEF, response);
    await assertOver(service, newest);
  });

  test("a thief that repeats the same token is recorded once as the reuse, then as refused", async () => {
    const person = await victim();
    await use(person.own.refresh_token, VICTIM);
    const attempts = Array.from({ length: 20 }, () => refresh(service, person.own.refresh_token, THIEF));
    const answers = await Promise.all(attempts);
    answers.forEach((answer) => assertEnvelope(answer, 401, "AUTH_TOKEN_REVOKED"));
    const events = inShort(await eventsOf(service.db, person.id)).slice(-20).sort();
    assert.deepEqual(events, [...Array(19).fill("refresh_refused revoked"), "reuse_detected"]);
  });

  test("a thief with a token expired in the meantime is refused, and does not end the session with it", async () => {
    const person = await victim();
    assertEnvelope(await refresh(service, expired(person.refresh), THIEF), 401, "AUTH_TOKEN_EXPIRED");
    assertSuccess(await me(service, person.own.access_token), 200);
    assert.ok(!inShort(await eventsOf(service.db, person.id)).includes("reuse_detected"));
  });

  test("a thief that replays the token of a signed-out session is refused, without an event of reuse", async () => {
    const person = await victim();
    assertSuccess(await logout(service, person.own.refresh_token, VICTIM), 200);
    const response = await refresh(service, person.own.refresh_token, THIEF);
    assertEnvelope(response, 401, "AUTH_TOKEN_REVOKED");
    const [event] = (await eventsOf(service.db, person.id)).slice(-1);
    assert.deepEqual(inShort([event]), ["refresh_refused revoked"]);
    assert.deepEqual([event.ip, event.user_agent], ["192.0.2.66", "Thief/6.6.6"]);
    assert.deepEqual((await loggedOf(service, response)).map((line) => line.level), ["INFO", "WARNING", "INFO"]);
    await assertUnharmed(person);
  });

  test("a thief that presents one kind of token in place of the other gets nothing", async () => {
    const person = await victim();
    assertEnvelope(await me(service, person.own.refresh_token, THIEF), 401, "AUTH_TOKEN_INVALID");
    assertEnvelope(await refresh(service, person.own.access_token, THIEF), 401, "AUTH_TOKEN_INVALID");
    assertSuccess(await refresh(service, person.own.refresh_token, VICTIM), 200);
  });
});

describe("with a retry interval", () => {
  let service;
  before(async () => (service = await startWatched({ settings: { REFRESH_REUSE_INTERVAL_SECONDS: "3600" } })));
  after(() => service.end());

  test("a thief within it gets the victim's own successor, and is detected when both use that", async () => {
    const { id, refresh: token } = await signUp(service, newUser(), VICTIM);
    const own = (await refresh(service, token, VICTIM)).body;
    const stolen = (await refresh(service, token, THIEF)).body;
    assert.equal(stolen.refresh_token, own.refresh_token, "never a branch of its own");
    assert.deepEqual(inShort(await eventsOf(service.db, id)), ["registered"]);
    const [session] = (await listSessions(service, own.access_token)).body.sessions;
    assert.equal(session.ip, VICTIM["CF-Connecting-IP"], "a retry does not say where the session is used");

    assertSuccess(await refresh(service, stolen.refresh_token, THIEF), 200);
    // Later than any retry.
    await rows(service.db, "UPDATE sessions SET last_used_at = last_used_at - 3601000");
    assertEnvelope(await refresh(service, own.refresh_token, VICTIM), 401, "AUTH_TOKEN_REVOKED");
    await assertOver(service, stolen);
    await assertOver(service, own);
    assert.ok(inShort(await eventsOf(service.db, id)).includes("reuse_detected"));
  });

  test("a thief with an old token does not walk along the chain to the newest one", async () => {
    const { id, refresh: token } = await signUp(service, newUser(), VICTIM);
    const chain = [token];
    for (let round = 0; round < 3; round += 1) {
      chain.push((await refresh(service, chain.at(-1), VICTIM)).body.refresh_token);
    }
    assertEnvelope(await refresh(service, chain[0], THIEF), 401, "AUTH_TOKEN_REVOKED");
    for (const stolen of chain) {
      assertEnvelope(await refresh(service, stolen, THIEF), 401, "AUTH_TOKEN_REVOKED");
    }
    assert.equal(inShort(await eventsOf(service.db, id)).filter((event) => event === "reuse_detected").length, 1);
  });
});
