// Reads everything that a restore to an earlier moment would undo, in the database of now.
import { quoted } from "../database.mjs";
import { readPaged } from "../pages.mjs";

/** Small enough for the rows of all lists in one call: those of second factors have up to 1 kB. */
const PAGE = 5000;
/** A salt has 22 letters; each account with archived events has one. */
const SALTS = 20_000;

/** The condition of the index by type (migration 0005), without which the query would read every event. */
const RARE = `type NOT IN ('registered', 'registration_refused', 'signed_in', 'sign_in_refused', 'refreshed', 'refresh_refused',
  'signed_out', 'session_ended', 'password_change_refused', 'deletion_refused')`;
const eventsSince = (since) => (column, ...types) =>
  `SELECT ${column} FROM audit_events WHERE type IN (${types.map(quoted).join(", ")}) AND ${RARE} AND created_at >= ${since}`;

const HOUR = 3_600_000;
/** Less than the ids of all sign-ins since then, which grow with time (src/domain/event_keys.rs): no index has common types. */
const idBefore = (since) => Math.max(0, (since - Date.UTC(2025, 0, 1) - HOUR) * 4096);

/** The tables of second factors, and the column by which each is read. */
const FACTOR_KEYS = { totp_secrets: "id", recovery_codes: "user_id", passkeys: "id", identities: "id" };
export const FACTOR_TABLES = Object.keys(FACTOR_KEYS);

/** The lists by their names. Without `by` a list has few rows. */
function listsSince(since) {
  const eventsOf = eventsSince(since);
  const emptied = (...types) => `${eventsOf("user_id", ...types)} AND reason = 'emptied'`;
  const users = (columns, ids, more = "") => `SELECT ${columns} FROM users AS u WHERE u.erasure_cursor IS NULL ${more} AND u.id IN (${ids})`;
  const kept = (table) => `u.id, (SELECT json_group_array(k.id) FROM ${table} AS k WHERE k.user_id = u.id) AS kept`;
  /** The users whose second factors changed, or that used a recovery code. */
  const refactored = users(
    "u.id, u.passkey_handle",
    `${eventsOf("user_id", "factor_added", "factor_removed", "recovery_codes_replaced", "factors_confirmed", "factors_reset", "password_reset", "email_change_undone", "not_me")}
     UNION ${emptied("email_verified")}
     UNION SELECT user_id FROM audit_events WHERE id > ${idBefore(since)} AND type = 'signed_in' AND reason = 'recovery_code' AND created_at >= ${since}`,
  );
  const factors = Object.entries(FACTOR_KEYS).map(([table, by]) => [
    table,
    { by, select: `SELECT * FROM ${table} WHERE user_id IN (SELECT id FROM (${refactored}))` },
  ]);
  return {
    sequences: { select: "SELECT name, seq FROM sqlite_sequence WHERE name <> 'd1_migrations'" },
    erased: { by: "user_id", select: `${eventsOf("user_id", "deleted")} UNION SELECT id FROM users WHERE erasure_cursor IS NOT NULL` },
    changed: {
      by: "id",
      select: users(
        "id, password_hash, password_version, has_password, is_active",
        `${eventsOf("user_id", "password_changed", "password_reset", "email_change_undone", "not_me", "disabled", "enabled")} UNION ${emptied("email_verified")}`,
      ),
    },
    stripped: {
      by: "id",
      select: users(kept("user_university_roles"), `${eventsOf("user_id", "role_removed")} UNION ${emptied("password_reset", "email_verified")}`),
    },
    withdrawn: { by: "id", select: eventsOf("DISTINCT object_id AS id", "api_key_withdrawn", "service_account_key_withdrawn") },
    deleted: { by: "id", select: eventsOf("DISTINCT object_id AS id", "service_account_deleted") },
    altered: { by: "id", select: `SELECT id, scopes, is_active FROM service_accounts WHERE id IN (${eventsOf("object_id", "service_account_changed")})` },
    keyless: {
      by: "id",
      select: users(kept("api_keys"), `${eventsOf("user_id", "password_reset", "email_change_undone", "not_me")} UNION ${emptied("email_verified")}`),
    },
    proven: {
      by: "id",
      select: users(
        "id, email, email_verified_at, registered_network",
        eventsOf("user_id", "password_reset", "email_verified", "email_changed", "email_change_undone"),
        "AND u.email_verified_at IS NOT NULL",
      ),
    },
    refactored: { by: "id", select: refactored },
    ...Object.fromEntries(factors),
    archiveKeys: { select: "SELECT * FROM audit_keys" },
    salts: { by: "user_id", select: "SELECT user_id, salt FROM audit_salts", size: SALTS },
    moments: {
      select: `SELECT (SELECT max(newest_at) FROM audit_objects) AS archived, (SELECT min(newest_at) FROM audit_objects) AS first_archived,
        (SELECT created_at FROM audit_events ORDER BY id LIMIT 1) AS oldest`,
    },
  };
}

/**
 * Reads page by page, each in a transaction of its own: nothing may write until the end, as in the runbook.
 *
 * @param {Function} ask runs statements, and returns the rows of each
 * @param {number} since the moment of the restore, in milliseconds
 * @param {number} [size] rows of a page
 * @returns {object} the rows of each list by its name
 */
export function readNotes(ask, since, size) {
  const lists = Object.entries(listsSince(since));
  const found = readPaged(ask, lists.map(([, list]) => ({ ...list, size: size ?? list.size ?? PAGE })));
  return Object.fromEntries(lists.map(([name], index) => [name, found[index]]));
}
