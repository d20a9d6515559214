// The service account by which `make import` signs its requests. It is made once and kept, since external ids are unique for each
// importer. Its key is made for one run, withdrawn at the end, and ends by itself after a day if the end is never reached.
import { DatabaseError, query, quoted } from "../database.mjs";
import { drawId, newClientId, newKey } from "../machine.mjs";
import { ImportFailure } from "./failure.mjs";

const NAME = "make import";
const LIFETIME = 24 * 60 * 60_000;
/** The first account of the name, should there be several. */
const ACCOUNT = `(SELECT min(id) FROM service_accounts WHERE name = ${quoted(NAME)})`;

/**
 * Makes the account if there is none, gives it the scopes of this run, and adds a key: `{key, withdraw}`. Throws an
 * `ImportFailure` if the database does not take it.
 */
export function makeKey(database, { mayGrantRoles }) {
  const now = Date.now();
  const id = drawId(now);
  const { key, hash } = newKey(id);
  const scopes = JSON.stringify(mayGrantRoles ? ["users:import", "roles:grant"] : ["users:import"]);
  const statements = [
    `INSERT INTO service_accounts (id, client_id, name, scopes, created_at, updated_at)
       SELECT ${drawId(now)}, ${quoted(newClientId())}, ${quoted(NAME)}, ${quoted(scopes)}, ${now}, ${now} WHERE ${ACCOUNT} IS NULL`,
    eventOf("service_account_created", "id", now, `id = ${ACCOUNT} AND changes() > 0`),
    `UPDATE service_accounts SET scopes = ${quoted(scopes)}, updated_at = ${now} WHERE id = ${ACCOUNT} AND scopes <> ${quoted(scopes)}`,
    eventOf("service_account_changed", "id", now, `id = ${ACCOUNT} AND changes() > 0`),
    `DELETE FROM api_keys WHERE service_account_id = ${ACCOUNT} AND expires_at < ${now}`,
    `INSERT INTO api_keys (id, service_account_id, secret_hash, created_at, expires_at)
       SELECT ${id}, id, ${quoted(hash)}, ${now}, ${now + LIFETIME} FROM service_accounts WHERE id = ${ACCOUNT} AND is_active = 1`,
    eventOf("service_account_key_created", id, now, `id = ${ACCOUNT} AND changes() > 0`),
    `SELECT is_active FROM service_accounts WHERE id = ${ACCOUNT}`,
  ];
  const [[account]] = run(statements, database).slice(-1);
  if (account.is_active === 0) {
    throw new ImportFailure(`The service account "${NAME}" was disabled by an administrator: enable it first.`);
  }
  return { key, withdraw: () => withdraw(database, id) };
}

/** The event of a change to the account or to a key, if the condition holds. */
const eventOf = (type, objectId, now, condition) =>
  `INSERT INTO audit_events (created_at, type, reason, object_id, request_id)
     SELECT ${now}, '${type}', client_id, ${objectId}, 'make-import-${now}' FROM service_accounts WHERE ${condition}`;

/** The event comes first, while the key is there. Impatient Ctrl-C must not leave the key behind. */
function withdraw(database, id) {
  const isThere = `id = (SELECT service_account_id FROM api_keys WHERE id = ${id})`;
  const event = eventOf("service_account_key_withdrawn", id, Date.now(), isThere);
  run([event, `DELETE FROM api_keys WHERE id = ${id}`], database, { isDetached: true });
}

function run(statements, database, options) {
  try {
    return query(`${statements.join(";\n")};`, database, options);
  } catch (error) {
    throw error instanceof DatabaseError ? new ImportFailure(error.message) : error;
  }
}
