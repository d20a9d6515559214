// The SQL of the notes for a restore. Each statement has less than 100 kB, the limit of D1.
import { quoted } from "../database.mjs";
import { FACTOR_TABLES } from "./reading.mjs";

/** Ids or salts in one statement: an id has up to 16 digits, a salt 22 letters. */
const CHUNK = 1000;
const chunks = (rows) => Array.from({ length: Math.ceil(rows.length / CHUNK) }, (_, index) => rows.slice(index * CHUNK, (index + 1) * CHUNK));

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
/** Deletes the rows of a user that are not among those of now. With many of those, each statement is about the ids between two of them. */
const deleteOthers = (table) => ({ id, kept }) => {
  const parts = chunks(JSON.parse(kept).sort((one, other) => one - other));
  const ends = parts.slice(0, -1).map((part) => part.at(-1));
  return (parts.length > 0 ? parts : [[]]).map((part, index) => {
    const from = index > 0 ? ` AND id > ${ends[index - 1]}` : "";
    const to = index < ends.length ? ` AND id <= ${ends[index]}` : "";
    return `DELETE FROM ${table} WHERE user_id = ${id}${from}${to} AND id NOT IN (${part.join(", ")});`;
  });
};
const removeAgain = deleteOthers("user_university_roles");
/** A reset withdraws the keys of the user without an event for each. */
const withdrawRestAgain = deleteOthers("api_keys");
const withdrawAgain = ({ id }) => `DELETE FROM api_keys WHERE id = ${id};`;
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
/** The same for the personal fields of archived events. An account that does not exist any more gets none: it could not be erased. */
const saltsAgain = (rows) => {
  const list = JSON.stringify(rows.map(({ user_id, salt }) => [user_id, salt]));
  return `INSERT INTO audit_salts (user_id, salt) SELECT u.id, s.value ->> 1 FROM json_each(${quoted(list)}) AS s
     CROSS JOIN users AS u ON u.id = s.value ->> 0 WHERE u.erasure_cursor IS NULL ON CONFLICT (user_id) DO NOTHING;`;
};
/** Used links would be valid again, mails that were sent would be sent again, and withdrawn offers would wait again. */
const FORGET_MAIL = [
  "DELETE FROM mails;",
  "DELETE FROM email_proofs;",
  "DELETE FROM invitations;",
  "DELETE FROM registrations;",
];

/** @param {object} notes as `readNotes` returns them */
export const statementsOf = (notes) => [
  ...notes.sequences.flatMap(keepCounting),
  ...notes.erased.map(eraseAgain),
  ...notes.changed.map(changeAgain),
  ...notes.stripped.flatMap(removeAgain),
  ...notes.withdrawn.map(withdrawAgain),
  ...notes.deleted.map(deleteAgain),
  ...notes.altered.map(alterAgain),
  ...notes.keyless.flatMap(withdrawRestAgain),
  ...notes.proven.map(release),
  ...notes.proven.map(proveAgain),
  ...notes.refactored.flatMap(refactorAgain),
  ...FACTOR_TABLES.flatMap((table) => notes[table].map(insertAgain(table))),
  ...notes.archiveKeys.flatMap(keyAgain),
  ...chunks(notes.salts).map(saltsAgain),
  ...FORGET_SIGNING_KEYS,
  ...FORGET_MAIL,
];
