// The service account by which `make import` signs its requests. It is made once and kept, since external ids are unique for each
// importer. It has the scope to grant roles for as long as a run needs it. Its key is made for one run, withdrawn at the end, and ends by itself after a day if the end is never reached.
import { DatabaseError, query, quoted } from "../database.mjs";
import { drawId, newClientId, newKey } from "../machine.mjs";
import { ImportFailure } from "./failure.mjs";

/** The name of the account and of each of its keys. */
const NAME = "make import";
const LIFETIME = 24 * 60 * 60_000;
const IMPORTING = JSON.stringify(["users:import"]);
const GRANTING = JSON.stringify(["users:import", "roles:grant"]);
/** The first account of the name, should there be several. */
const ACCOUNT = `(SELECT min(id) FROM service_accounts WHERE name = ${quoted(NAME)})`;
/** Keys that other ways have made: their holders must not gain the scopes of an import. */
const FOREIGN_KEYS = `api_keys WHERE service_account_id = ${ACCOUNT} AND name IS NOT ${quoted(NAME)}`;

const liveKeys = (account, now) => `api_keys WHERE service_account_id = ${account} AND (expires_at IS NULL OR expires_at > ${now})`;

/**
 * Makes the account if there is none, gives it the scopes of this run, and adds a key: `{key, withdraw}`. Throws an
 * `ImportFailure` if the database does not take it, or the account is not one for imports alone.
 */
export function makeKey(database, { mayGrantRoles }) {
  const now = Date.now();
  const id = drawId(now);
  const { key, hash } = newKey(id);
  const scopes = quoted(mayGrantRoles ? GRANTING : IMPORTING);
  // A run with ROLES=yes at the same time keeps its scope.
  const mayChange = mayGrantRoles ? "1" : `NOT EXISTS (SELECT 1 FROM ${liveKeys(ACCOUNT, now)})`;
  const isOurs = `is_active = 1 AND NOT EXISTS (SELECT 1 FROM ${FOREIGN_KEYS})`;
  const statements = [
    `INSERT INTO service_accounts (id, client_id, name, scopes, created_at, updated_at)
       SELECT ${drawId(now)}, ${quoted(newClientId())}, ${quoted(NAME)}, ${scopes}, ${now}, ${now} WHERE ${ACCOUNT} IS NULL`,
    eventOf("service_account_created", "id", now, `id = ${ACCOUNT} AND changes() > 0`),
    `UPDATE service_accounts SET scopes = ${scopes}, updated_at = ${now}
       WHERE id = ${ACCOUNT} AND scopes <> ${scopes} AND ${isOurs} AND ${mayChange}`,
    eventOf("service_account_changed", "id", now, `id = ${ACCOUNT} AND changes() > 0`),
    `DELETE FROM api_keys WHERE service_account_id = ${ACCOUNT} AND name = ${quoted(NAME)} AND expires_at < ${now}`,
    `INSERT INTO api_keys (id, service_account_id, name, secret_hash, created_at, expires_at)
       SELECT ${id}, id, name, ${quoted(hash)}, ${now}, ${now + LIFETIME} FROM service_accounts WHERE id = ${ACCOUNT} AND ${isOurs}`,
    eventOf("service_account_key_created", id, now, `id = ${ACCOUNT} AND changes() > 0`),
    `SELECT id, is_active, (SELECT count(*) FROM ${FOREIGN_KEYS}) AS foreign_keys FROM service_accounts WHERE id = ${ACCOUNT}`,
  ];
  const [[account]] = run(statements, database).slice(-1);
  requireOurs(account);
  return { key, withdraw: () => withdraw(database, account.id, id) };
}

function requireOurs({ id, is_active: isActive, foreign_keys: foreignKeys }) {
  if (isActive === 0) {
    throw new ImportFailure(`The service account "${NAME}" was disabled by an administrator: enable it first.`);
  }
  if (foreignKeys > 0) {
    const remedy = "Withdraw them, or give the account another name if it is not one for imports";
    const fault = `The service account "${NAME}" (${id}) has keys that this command did not make, which would gain the right to import`;
    throw new ImportFailure(`${fault}. ${remedy}: GET /admin/service-accounts/${id}/keys.`);
  }
}

/** The event of a change to the account or to a key, if the condition holds. */
const eventOf = (type, objectId, now, condition) =>
  `INSERT INTO audit_events (created_at, type, reason, object_id, request_id)
     SELECT ${now}, '${type}', client_id, ${objectId}, 'make-import-${now}' FROM service_accounts WHERE ${condition}`;

/**
 * Withdraws the key, and the scope to grant roles with the last one. The event comes first, while the key is there. Impatient
 * Ctrl-C must not leave the key behind.
 */
function withdraw(database, account, id) {
  const now = Date.now();
  const isThere = `id = (SELECT service_account_id FROM api_keys WHERE id = ${id})`;
  const statements = [
    eventOf("service_account_key_withdrawn", id, now, isThere),
    `DELETE FROM api_keys WHERE id = ${id}`,
    `UPDATE service_accounts SET scopes = ${quoted(IMPORTING)}, updated_at = ${now}
       WHERE id = ${account} AND scopes = ${quoted(GRANTING)} AND NOT EXISTS (SELECT 1 FROM ${liveKeys(account, now)})`,
    eventOf("service_account_changed", "id", now, `id = ${account} AND changes() > 0`),
  ];
  run(statements, database, { isDetached: true });
}

function run(statements, database, options) {
  try {
    return query(`${statements.join(";\n")};`, database, options);
  } catch (error) {
    throw error instanceof DatabaseError ? new ImportFailure(error.message) : error;
  }
}
