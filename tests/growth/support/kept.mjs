// The rows that a clean-up must keep, and the integrity of the sessions: asked of the stored database.
import assert from "node:assert/strict";

import { decode } from "../../e2e/support/tokens.mjs";

const DAY = 86_400_000;
const RETENTION_DAYS = 90;
/** A session is kept for the lifetime of an access token after its end. */
const ACCESS_MS = 900_000;

const isOver = (now) => `(
  s.expires_at <= ${now - ACCESS_MS} OR s.refresh_expires_at <= ${now - ACCESS_MS}
  OR s.user_id IN (SELECT id FROM users WHERE erasure_cursor IS NOT NULL)
)`;
/** For each table its key, the rows that outlive a clean-up at this time, and the columns that it must not change. */
const TABLES = {
  sessions: {
    key: "id",
    columns: ["refresh_id", "previous_refresh_id", "refresh_expires_at", "last_used_at", "expires_at"],
    kept: (now) => `sessions AS s WHERE NOT ${isOver(now)}`,
  },
  audit_events: {
    key: "id",
    columns: ["type"],
    kept: (now) => `audit_events WHERE created_at > ${now - RETENTION_DAYS * DAY}`,
  },
  users: { key: "id", columns: ["email"], kept: () => "users WHERE erasure_cursor IS NULL" },
  throttles: { key: "key", columns: ["failures"], kept: () => "throttles" },
  email_proofs: { key: "id", columns: ["expires_at"], kept: (now) => `email_proofs WHERE expires_at > ${now}` },
  mail_counts: { key: "key", columns: ["count"], kept: (now) => `mail_counts WHERE window_started_at > ${now - DAY}` },
  mails: { key: "id", columns: ["due_at"], kept: () => "mails" },
  identities: { key: "id", columns: ["user_id", "subject", "suspended_at"], kept: () => "identities" },
  used_flows: { key: "id", columns: ["redeemed_by"], kept: (now) => `used_flows WHERE expires_at > ${now}` },
};

const all = (db, sql) => db.prepare(sql).all().map((row) => ({ ...row }));
const count = (db, rows) => db.prepare(`SELECT count(*) AS number FROM ${rows}`).get().number;

/** Records, in additional tables, the rows that must still exist afterwards; returns the number that must go. */
export function rememberKept(db) {
  const now = Date.now();
  return Object.entries(TABLES).reduce((doomed, [table, { key, columns, kept }]) => {
    db.exec(`CREATE TABLE kept_${table} AS SELECT ${[key, ...columns].join(", ")} FROM ${kept(now)}`);
    return doomed + count(db, table) - count(db, `kept_${table}`);
  }, 0);
}

/** Exactly those rows exist, and only this number of them was changed concurrently: `{sessions: 3}`. */
export function assertKept(db, changed) {
  for (const [table, { key, columns }] of Object.entries(TABLES)) {
    const is = (condition) => `EXISTS (SELECT 1 FROM ${table} AS t WHERE t.${key} = k.${key} AND ${condition})`;
    assert.equal(count(db, `kept_${table} AS k WHERE NOT ${is("TRUE")}`), 0, `${table} that were lost`);
    const extra = count(db, table) - count(db, `kept_${table}`);
    assert.equal(extra, 0, `${table} that are new or should be gone`);
    const isSame = columns.map((column) => `t.${column} IS k.${column}`).join(" AND ");
    const others = count(db, `kept_${table} AS k WHERE NOT ${is(isSame)}`);
    assert.equal(others, changed[table] ?? 0, `${table} that were changed`);
  }
}

/**
 * Each session has a token that can be exchanged, and no token is on file twice: neither as the current one of two
 * sessions, nor as the current and the previous one.
 */
export function assertSessionsSound(db) {
  assert.deepEqual(all(db, "PRAGMA foreign_key_check"), []);
  assert.deepEqual(all(db, "PRAGMA quick_check"), [{ quick_check: "ok" }]);
  const [{ live, sessions, different, tokens }] = all(db, `
    SELECT sum(revoked_at IS NULL) AS live, count(DISTINCT session_id) AS sessions, count(DISTINCT jti) AS different,
           count(*) AS tokens
    FROM refresh_tokens`);
  assert.equal(live, sessions, "live tokens, and sessions that have any");
  assert.equal(sessions, count(db, "sessions"), "sessions that have tokens, and all");
  assert.equal(different, tokens, "different tokens, and all");
}

/** The session of this token records exactly the last two tokens that its client received. */
export function assertRecorded(db, { previous, token }) {
  const [jti, previousJti] = [token, previous].map((each) => decode(each).claims.jti);
  const sql = "SELECT refresh_id, previous_refresh_id FROM sessions WHERE id = ?";
  const stored = { ...db.prepare(sql).get(Number(decode(token).claims.sid)) };
  assert.deepEqual(stored, { refresh_id: jti, previous_refresh_id: previousJti });
}
