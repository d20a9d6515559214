// The contents of the database, read without the service.
import assert from "node:assert/strict";

/** All rows of one statement. */
export async function rows(db, sql, ...values) {
  return (await db.prepare(sql).bind(...values).all()).results;
}

/** Every value of every table, as one text. */
export async function dump(db) {
  const tables = await rows(db, "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 3) <> '_cf'");
  const contents = await Promise.all(tables.map(({ name }) => rows(db, `SELECT * FROM "${name}"`)));
  return JSON.stringify(Object.fromEntries(tables.map(({ name }, index) => [name, contents[index]])));
}

/** The keys of the throttles of a user. At sign-in that is the network of the registration, the first known one. */
export const throttleKey = (id, kind = "password") => `user/${id}/${kind === "password" ? "known/00" : kind}`;

/** Failures and the end of the wait of one throttle; at sign-in, those of all networks and devices. */
export async function throttleOf(db, key) {
  const keys = key.endsWith("/known/00") ? [key.replace("known/00", "known/*"), key.replace("known/00", "unknown/*")] : [key];
  const sql = `
    SELECT coalesce(sum(failures), 0) AS failures, coalesce(max(blocked_until), 0) AS blocked_until
    FROM throttles WHERE key GLOB ?1 OR key GLOB ?2`;
  const [throttle] = await rows(db, sql, keys.at(0), keys.at(-1));
  return throttle;
}

/** Puts a throttle into a state. */
export function setThrottle(db, key, { failures = 6, blocked_until: blockedUntil }) {
  const sql = `
    INSERT INTO throttles (key, tag, failures, recent_failures, failed_at, blocked_until)
    VALUES (?1, (SELECT registered_network FROM users WHERE ?1 = 'user/' || id || '/known/00'), ?2, ?2, ?4, ?3)
    ON CONFLICT (key) DO UPDATE SET failures = ?2, recent_failures = ?2, failed_at = ?4, blocked_until = ?3`;
  return rows(db, sql, key, failures, blockedUntil, Date.now());
}

/** Everything that is on file about a user, with both throttles. */
export async function userRow(db, id) {
  const [user] = await rows(db, "SELECT * FROM users WHERE id = ?1", id);
  if (user === undefined) {
    return undefined;
  }
  const [password, reauthentication] = [
    await throttleOf(db, throttleKey(id)),
    await throttleOf(db, throttleKey(id, "reauthentication")),
  ];
  return { ...user, throttles: { password, reauthentication } };
}

/** The sessions of a user, oldest first. The row of a session that has ended is deleted. */
export function liveSessions(db, userId) {
  return rows(db, "SELECT * FROM sessions WHERE user_id = ?1 ORDER BY created_at, id", userId);
}

/** The row of a session; `undefined` once it has ended. */
export async function sessionRow(db, id) {
  const [session] = await rows(db, "SELECT * FROM sessions WHERE id = ?1", id);
  return session;
}

/** How a session ended, by its events: `["signed_out"]`. */
export async function endingsOf(db, id) {
  const sql = `
    SELECT type, reason FROM audit_events WHERE session_id = ?1
      AND type IN ('signed_out', 'session_ended', 'sessions_ended', 'reuse_detected') ORDER BY id`;
  return inShort(await rows(db, sql, id));
}

/**
 * The audit events of a user, or those without a user, oldest first. A counted refusal is here as often as it was
 * counted, each with the time of the latest.
 */
export async function eventsOf(db, userId = null) {
  const sql = "SELECT * FROM audit_events WHERE user_id IS ?1 ORDER BY coalesce(last_at, created_at), id";
  const events = await rows(db, sql, userId);
  return events.flatMap((event) => {
    return event.last_at === null ? [event] : Array(event.count).fill({ ...event, created_at: event.last_at });
  });
}

/** Events in short: `"sign_in_refused wrong_password"`. */
export const inShort = (events) => events.map(({ type, reason }) => (reason === null ? type : `${type} ${reason}`));

/** The tokens that a session's row records: the current one, and the one that was exchanged for it. */
export async function tokensOf(db, sessionId) {
  const { refresh_id: current, previous_refresh_id: previous } = (await sessionRow(db, sessionId)) ?? {};
  return { current, previous };
}

/**
 * Each session has one current token, which no other session has as its current or previous one, and which does not
 * outlive the session. The schema allows no second current token.
 */
export async function assertSoundSessions(db) {
  assert.deepEqual(await rows(db, "PRAGMA foreign_key_check"), []);
  assert.deepEqual(await rows(db, "PRAGMA quick_check"), [{ quick_check: "ok" }]);
  const sessions = await rows(db, "SELECT * FROM sessions");
  const ids = sessions.flatMap((session) => [session.refresh_id, session.previous_refresh_id].filter((id) => id !== null));
  assert.equal(new Set(ids).size, ids.length, "one token twice");
  for (const { id, refresh_id: current, refresh_expires_at: expires, expires_at: end, ...row } of sessions) {
    assert.match(current, /^[0-9a-f]{32}$/, `session ${id}`);
    assert.ok(expires <= end && row.created_at <= row.last_used_at, `session ${id}`);
    assert.equal(row.ended_at, null);
  }
  return { sessions: sessions.length };
}
