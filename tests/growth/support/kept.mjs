// The rows that a clean-up must keep, and the integrity of the chains of tokens: asked of the stored database.
import assert from "node:assert/strict";

const DAY = 86_400_000;
const RETENTION_DAYS = 90;

const isOver = (now) => `(
  s.ended_at IS NOT NULL OR s.expires_at <= ${now}
  OR s.user_id IN (SELECT id FROM users WHERE erasure_cursor IS NOT NULL)
)`;
/** For each table its key, and the rows that outlive a clean-up at this time. */
const TABLES = {
  refresh_tokens: {
    key: "jti",
    kept: (now) => `
      SELECT t.jti AS key FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id
      WHERE t.expires_at > ${now} AND NOT ${isOver(now)}`,
  },
  sessions: { key: "id", kept: (now) => `SELECT s.id AS key FROM sessions AS s WHERE NOT ${isOver(now)}` },
  audit_events: {
    key: "id",
    kept: (now) => `SELECT id AS key FROM audit_events WHERE created_at > ${now - RETENTION_DAYS * DAY}`,
  },
  users: { key: "id", kept: () => "SELECT id AS key FROM users WHERE erasure_cursor IS NULL" },
  throttles: { key: "key", kept: () => "SELECT key FROM throttles" },
};

const all = (db, sql) => db.prepare(sql).all().map((row) => ({ ...row }));
const count = (db, rows) => db.prepare(`SELECT count(*) AS number FROM ${rows}`).get().number;

/** Records, in additional tables, the rows that must still exist afterwards; returns the number that must go. */
export function rememberKept(db) {
  const now = Date.now();
  return Object.entries(TABLES).reduce((doomed, [table, { kept }]) => {
    db.exec(`CREATE TABLE kept_${table} AS ${kept(now)}`);
    return doomed + count(db, table) - count(db, `kept_${table}`);
  }, 0);
}

/** Exactly those rows exist, and the number added concurrently: `{refresh_tokens: 5, …}`. */
export function assertKept(db, added) {
  for (const [table, { key }] of Object.entries(TABLES)) {
    const isThere = `EXISTS (SELECT 1 FROM ${table} AS t WHERE t.${key} = k.key)`;
    assert.equal(count(db, `kept_${table} AS k WHERE NOT ${isThere}`), 0, `${table} that were lost`);
    const extra = count(db, table) - count(db, `kept_${table}`);
    assert.equal(extra, added[table] ?? 0, `${table} that are new or should be gone`);
  }
}

/**
 * Each session's tokens are one chain, as `assertLinearChains` of the end-to-end tests says, but without a walk along
 * it: every token but the live one has a younger successor in the same session, so there is no circle. By
 * constraints no two have the same successor and no session has two live tokens, so if each has one, each has one
 * first token as well. A session whose tokens have all expired has none.
 */
export function assertAllChainsLinear(db) {
  assert.deepEqual(all(db, "PRAGMA foreign_key_check"), []);
  assert.deepEqual(all(db, "PRAGMA quick_check"), [{ quick_check: "ok" }]);
  const broken = `refresh_tokens AS t LEFT JOIN refresh_tokens AS n ON n.jti = t.successor_jti
    WHERE t.revoked_at IS NOT NULL AND (n.session_id = t.session_id AND n.created_at > t.created_at) IS NOT TRUE`;
  assert.equal(count(db, broken), 0, "tokens without a successor");
  const [{ live, sessions }] = all(db, `
    SELECT sum(revoked_at IS NULL) AS live, count(DISTINCT session_id) AS sessions FROM refresh_tokens`);
  assert.equal(live, sessions, "live tokens, and sessions that have any");
}
