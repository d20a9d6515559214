// Prints the SQL that a database needs after D1 Time Travel took it back to SINCE: restoring revives erased people, old
// passwords, disabled accounts, removed roles, removed second factors and used recovery codes, changed addresses, withdrawn keys, signing keys, and links, mails and invitations of before, and gives out ids a second time. It loses keys of the audit archive. Run it
// before the restore, since it reads the database of now. Environment variables: SINCE, STATE and REMOTE, as for admin.mjs.
//
// Sessions are not in it: they end with a new SECRET_KEY (docs/operate.md). The output contains password hashes.
import { execute, giveUp, quoted } from "./database.mjs";

const { SINCE = "", STATE: state, REMOTE: environment } = process.env;
const since = Date.parse(SINCE);
if (!/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(SINCE) || Number.isNaN(since)) {
  giveUp("Say the moment of the restore: make restore-notes SINCE=2026-11-28T10:00:00Z");
}
/** The condition of the index by type (migration 0005), without which the query would read every event. */
const RARE = `type NOT IN ('registered', 'registration_refused', 'signed_in', 'sign_in_refused', 'refreshed', 'refresh_refused',
  'signed_out', 'session_ended', 'password_change_refused', 'deletion_refused')`;
const eventsOf = (column, ...types) =>
  `SELECT ${column} FROM audit_events WHERE type IN (${types.map(quoted).join(", ")}) AND ${RARE} AND created_at >= ${since}`;

/** The users whose second factors changed, or that used a recovery code. */
const REFACTORED = `SELECT id FROM users WHERE erasure_cursor IS NULL AND id IN (
  ${eventsOf("user_id", "factor_added", "factor_removed", "recovery_codes_replaced", "factors_confirmed", "factors_reset", "password_reset", "email_change_undone", "not_me")}
  UNION ${eventsOf("user_id", "email_verified")} AND reason = 'emptied'
  UNION SELECT user_id FROM audit_events WHERE type = 'signed_in' AND reason = 'recovery_code' AND created_at >= ${since}
)`;
const FACTOR_TABLES = ["totp_secrets", "recovery_codes", "passkeys", "identities"];

const [sequences, erased, changed, stripped, withdrawn, deleted, altered, keyless, proven, refactored, archiveKeys, salts, [known], ...factors] = execute(
  `SELECT name, seq FROM sqlite_sequence WHERE name <> 'd1_migrations';
   ${eventsOf("user_id", "deleted")} UNION SELECT id FROM users WHERE erasure_cursor IS NOT NULL;
   SELECT id, password_hash, password_version, has_password, is_active FROM users
     WHERE erasure_cursor IS NULL AND id IN (${eventsOf("user_id", "password_changed", "password_reset", "email_change_undone", "not_me", "disabled", "enabled")} UNION ${eventsOf("user_id", "email_verified")} AND reason = 'emptied');
   SELECT u.id, (SELECT json_group_array(g.id) FROM user_university_roles AS g WHERE g.user_id = u.id) AS kept FROM users AS u
     WHERE u.erasure_cursor IS NULL AND u.id IN (
       ${eventsOf("user_id", "role_removed")} UNION ${eventsOf("user_id", "password_reset", "email_verified")} AND reason = 'emptied'
     );
   ${eventsOf("object_id AS id", "api_key_withdrawn", "service_account_key_withdrawn")};
   ${eventsOf("object_id AS id", "service_account_deleted")};
   SELECT id, scopes, is_active FROM service_accounts WHERE id IN (${eventsOf("object_id", "service_account_changed")});
   SELECT u.id, (SELECT json_group_array(k.id) FROM api_keys AS k WHERE k.user_id = u.id) AS kept FROM users AS u
     WHERE u.erasure_cursor IS NULL AND u.id IN (
       ${eventsOf("user_id", "password_reset", "email_change_undone", "not_me")} UNION ${eventsOf("user_id", "email_verified")} AND reason = 'emptied'
     );
   SELECT id, email, email_verified_at, registered_network FROM users
     WHERE erasure_cursor IS NULL AND email_verified_at IS NOT NULL
       AND id IN (${eventsOf("user_id", "password_reset", "email_verified", "email_changed", "email_change_undone")});
   SELECT id, passkey_handle FROM users WHERE id IN (${REFACTORED});
   SELECT * FROM audit_keys;
   SELECT user_id, salt FROM audit_salts;
   SELECT (SELECT max(newest_at) FROM audit_objects) AS archived, (SELECT min(newest_at) FROM audit_objects) AS first_archived, (SELECT created_at FROM audit_events ORDER BY id LIMIT 1) AS oldest;
   ${FACTOR_TABLES.map((table) => `SELECT * FROM ${table} WHERE user_id IN (${REFACTORED})`).join(";\n   ")};`,
  { state, environment },
);

/** Ids are never given out twice, or another person inherits the `sub` that other services know. */
const keepCounting = ({ name, seq }) => [
  `UPDATE sqlite_sequence SET seq = max(seq, ${seq}) WHERE name = ${quoted(name)};`,
  `INSERT INTO sqlite_sequence (name, seq) SELECT ${quoted(name)}, ${seq}
     WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ${quoted(name)});`,
];
/** The statement of an erasure (src/store/account/erasure.rs); the clean-up removes the rest. */
const eraseAgain = ({ user_id }) =>
  `UPDATE users SET email = 'erased:' || id, password_hash = '', full_name = NULL, registered_network = NULL, passkey_handle = NULL, imported_by = NULL,
     external_id = NULL, import_id = NULL, is_active = 0, erasure_cursor = 0,
     password_version = password_version + 1 WHERE id = ${user_id} AND erasure_cursor IS NULL;`;
const changeAgain = ({ id, password_hash, password_version, has_password, is_active }) =>
  `UPDATE users SET password_hash = ${quoted(password_hash)}, password_version = ${password_version}, has_password = ${has_password}, is_active = ${is_active}
     WHERE id = ${id};`;
const removeAgain = ({ id, kept }) =>
  `DELETE FROM user_university_roles WHERE user_id = ${id} AND id NOT IN (${JSON.parse(kept).join(", ")});`;
const withdrawAgain = ({ id }) => `DELETE FROM api_keys WHERE id = ${id};`;
/** A reset withdraws the keys of the user without an event for each. */
const withdrawRestAgain = ({ id, kept }) =>
  `DELETE FROM api_keys WHERE user_id = ${id} AND id NOT IN (${JSON.parse(kept).join(", ")});`;
/** A reset of an address that was not proven also forgets the network of the registration. */
const proveAgain = ({ id, email, email_verified_at, registered_network }) =>
  `UPDATE users SET email = ${quoted(email)}, email_verified_at = ${email_verified_at},
     registered_network = ${registered_network === null ? "NULL" : quoted(registered_network)} WHERE id = ${id};`;
/** An address may have gone from one of these users to another. */
const release = ({ id }) => `UPDATE users SET email = 'moved:' || id WHERE id = ${id};`;
/** Its keys go with it. */
const deleteAgain = ({ id }) => `DELETE FROM service_accounts WHERE id = ${id};`;
const alterAgain = ({ id, scopes, is_active }) =>
  `UPDATE service_accounts SET scopes = ${quoted(scopes)}, is_active = ${is_active} WHERE id = ${id};`;
/** Revoked keys would sign again, and revived sessions with them. The service makes new ones by itself. */
const FORGET_SIGNING_KEYS = ["DELETE FROM signing_keys;", "DELETE FROM key_ring;"];
const literal = (value) => (value === null ? "NULL" : typeof value === "number" ? String(value) : quoted(value));
/** The second factors of such a user become those of now: removed ones stay removed, and used codes stay used. */
const refactorAgain = ({ id, passkey_handle }) => [
  ...FACTOR_TABLES.map((table) => `DELETE FROM ${table} WHERE user_id = ${id};`),
  // The handle is a part of every passkey of the user.
  `UPDATE users SET passkey_handle = ${literal(passkey_handle)} WHERE id = ${id};`,
];
const insertAgain = (table) => (row) =>
  `INSERT INTO ${table} (${Object.keys(row).join(", ")}) VALUES (${Object.values(row).map(literal).join(", ")});`;
/** The objects of the archive stay: they need the key that signed them, in its present encryption. */
const keyAgain = (row) => ["DELETE FROM audit_keys;", insertAgain("audit_keys")(row)];
/** Rows of one statement, which D1 limits to 100 kB. */
const SALTS = 1000;
/** The same for the personal fields of archived events. An account that does not exist any more gets none: it could not be erased. */
const saltsAgain = (rows) => {
  const list = JSON.stringify(rows.map(({ user_id, salt }) => [user_id, salt]));
  return `INSERT INTO audit_salts (user_id, salt) SELECT u.id, s.value ->> 1 FROM json_each(${quoted(list)}) AS s
     CROSS JOIN users AS u ON u.id = s.value ->> 0 WHERE u.erasure_cursor IS NULL ON CONFLICT (user_id) DO NOTHING;`;
};
const chunks = (rows, size) => Array.from({ length: Math.ceil(rows.length / size) }, (_, index) => rows.slice(index * size, (index + 1) * size));
/** Used links would be valid again, mails that were sent would be sent again, and withdrawn offers would wait again. */
const FORGET_MAIL = [
  "DELETE FROM mails;",
  "DELETE FROM email_proofs;",
  "DELETE FROM invitations;",
  "DELETE FROM registrations;",
];

const statements = [
  ...sequences.flatMap(keepCounting),
  ...erased.map(eraseAgain),
  ...changed.map(changeAgain),
  ...stripped.map(removeAgain),
  ...withdrawn.map(withdrawAgain),
  ...deleted.map(deleteAgain),
  ...altered.map(alterAgain),
  ...keyless.map(withdrawRestAgain),
  ...proven.map(release),
  ...proven.map(proveAgain),
  ...refactored.flatMap(refactorAgain),
  ...FACTOR_TABLES.flatMap((table, index) => factors[index].map(insertAgain(table))),
  ...archiveKeys.flatMap(keyAgain),
  ...chunks(salts, SALTS).map(saltsAgain),
  ...FORGET_SIGNING_KEYS,
  ...FORGET_MAIL,
];
console.log(statements.join("\n"));
console.error(
  `Since ${SINCE}: ${erased.length} erased, ${changed.length} passwords or states changed, ${stripped.length} with removed roles, ` +
    `${withdrawn.length} keys withdrawn, ${deleted.length} service accounts deleted, ${altered.length} changed, ` +
    `${proven.length} addresses proven, ${refactored.length} with changed second factors.`,
);
const iso = (milliseconds) => new Date(milliseconds).toISOString();
if (known.archived >= since) {
  console.error(
    `INCOMPLETE: events from ${SINCE} to ${iso(known.archived)} are in the archive, and not in these notes. Read them by make audit-export SINCE=${SINCE}, ` +
      `and repeat their erasures, removals and changes by hand.${known.first_archived > since ? " Objects of the beginning of that time may have been deleted." : ""}`,
  );
} else if (known.oldest === null || known.oldest > since) {
  const until = known.oldest === null ? "now" : iso(known.oldest);
  console.error(
    `INCOMPLETE, unless nothing happened from ${SINCE} to ${until}: the database has no events of that time. AUDIT_RETENTION_DAYS or ` +
      "AUDIT_ARCHIVE_RETENTION_DAYS may have deleted them. Repeat erasures, removals and changes of that time by hand.",
  );
}
