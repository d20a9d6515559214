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

/** The keys of the throttles of a user. */
export const throttleKey = (id, kind = "password") => `user/${id}/${kind}`;

/** Failures and the end of the wait of one throttle. */
export async function throttleOf(db, key) {
  const [throttle] = await rows(db, "SELECT failures, blocked_until FROM throttles WHERE key = ?1", key);
  return throttle ?? { failures: 0, blocked_until: 0 };
}

/** Puts a throttle into a state. */
export function setThrottle(db, key, { failures = 6, blocked_until: blockedUntil }) {
  const sql = `
    INSERT INTO throttles (key, failures, blocked_until) VALUES (?1, ?2, ?3)
    ON CONFLICT (key) DO UPDATE SET failures = ?2, blocked_until = ?3`;
  return rows(db, sql, key, failures, blockedUntil);
}

/** The columns that throttles had before they were a table; they are kept for the previous version of the Worker. */
const FORMER_THROTTLES = ["failed_sign_ins", "blocked_until", "failed_proofs", "proofs_blocked_until"];

/** Everything that is on file about a user, with both throttles. */
export async function userRow(db, id) {
  const [user] = await rows(db, "SELECT * FROM users WHERE id = ?1", id);
  if (user === undefined) {
    return undefined;
  }
  FORMER_THROTTLES.forEach((column) => {
    assert.equal(user[column], 0, column);
    delete user[column];
  });
  const [password, reauthentication] = [
    await throttleOf(db, throttleKey(id)),
    await throttleOf(db, throttleKey(id, "reauthentication")),
  ];
  return { ...user, throttles: { password, reauthentication } };
}

/** The sessions of a user that have not been ended, oldest first. */
export function liveSessions(db, userId) {
  return rows(db, "SELECT * FROM sessions WHERE user_id = ?1 AND ended_at IS NULL ORDER BY created_at, id", userId);
}

/** The audit events of a user, or those without a user, oldest first. */
export function eventsOf(db, userId = null) {
  return rows(db, "SELECT * FROM audit_events WHERE user_id IS ?1 ORDER BY id", userId);
}

/** Events in short: `"sign_in_refused wrong_password"`. */
export const inShort = (events) => events.map(({ type, reason }) => (reason === null ? type : `${type} ${reason}`));

/** Sessions with more than one token that can still be exchanged: there must never be one. */
export function sessionsWithTwoLiveTokens(db) {
  const sql = "SELECT session_id FROM refresh_tokens WHERE revoked_at IS NULL GROUP BY session_id HAVING count(*) > 1";
  return rows(db, sql);
}

/** The tokens of a session, and which of them can still be exchanged. */
export async function tokensOf(db, sessionId) {
  const all = await rows(db, "SELECT * FROM refresh_tokens WHERE session_id = ?1 ORDER BY created_at, jti", sessionId);
  return { all, live: all.filter((token) => token.revoked_at === null) };
}

/**
 * Each session's tokens are one chain: one live token at its end, every other names its successor, which
 * exists in the same session and is the successor of no other; following them visits every token.
 */
export async function assertLinearChains(db) {
  assert.deepEqual(await rows(db, "PRAGMA foreign_key_check"), []);
  assert.deepEqual(await rows(db, "PRAGMA quick_check"), [{ quick_check: "ok" }]);
  const tokens = await rows(db, "SELECT jti, session_id, revoked_at, successor_jti FROM refresh_tokens");
  const sessions = await rows(db, "SELECT id FROM sessions");
  for (const { id } of sessions) {
    const chain = new Map(tokens.filter((token) => token.session_id === id).map((token) => [token.jti, token]));
    const successors = [...chain.values()].map((token) => token.successor_jti).filter((jti) => jti !== null);
    const first = [...chain.keys()].filter((jti) => !successors.includes(jti));
    assert.equal(first.length, 1, `session ${id} begins ${first.length} times`);
    let [jti] = first;
    const visited = new Set();
    while (jti !== null) {
      assert.ok(chain.has(jti), `session ${id} lacks successor ${jti}`);
      assert.ok(!visited.has(jti), `session ${id} turns in a circle`);
      visited.add(jti);
      jti = chain.get(jti).successor_jti;
    }
    assert.equal(visited.size, chain.size, `session ${id} has branches`);
    assert.equal([...chain.values()].filter((token) => token.revoked_at === null).length, 1, `session ${id}`);
  }
  return { sessions: sessions.length, tokens: tokens.length };
}
