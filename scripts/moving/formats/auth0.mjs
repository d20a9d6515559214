// Auth0: the bulk export of users, the export of password hashes, and files in the form of its bulk import.
//
// https://auth0.com/docs/manage-users/user-migration/bulk-user-exports
// https://support.auth0.com/center/s/article/How-to-Use-the-Password-Hashes-Export-from-Auth0
// https://auth0.com/docs/manage-users/user-migration/bulk-user-import-schema
import { Refusal } from "../failure.mjs";
import { fromHex, scrypt } from "../hashes.mjs";
import { fullName, hash, moment, text, truth } from "../values.mjs";

/** The id without the name of the connection before it, which only the bulk export has: `auth0|…`. */
const bare = (id) => id?.replace(/^auth0\|/, "");

/** The id of an entry in any of the three files. */
export const idOf = (entry) => bare(text(entry.user_id) ?? text(entry.alt_id) ?? text(entry._id?.$oid));

/** The hash of an entry in any of the three files. */
export const hashOf = (entry) => hash(entry.passwordHash) ?? hash(entry.password_hash) ?? custom(entry.custom_password_hash);

export function auth0(entry, { passwords }) {
  const id = idOf(entry);
  // The export of password hashes may have the address in this list only.
  const identifier = entry.identifiers?.find?.(({ type }) => type === "email");
  return {
    external_id: id,
    email: text(entry.email) ?? text(identifier?.value),
    email_verified: truth(entry.email_verified ?? identifier?.verified, "email_verified_invalid"),
    full_name: nameOf(entry),
    password_hash: hashOf(entry) ?? passwords?.(id),
    created_at: moment(entry.created_at?.$date ?? entry.created_at),
    is_active: entry.blocked === undefined ? undefined : !truth(entry.blocked, "is_active_invalid"),
  };
}

/** Without a name, Auth0 puts the address into `name`. */
function nameOf({ name, email, given_name: given, family_name: family }) {
  return name && name !== email ? fullName(name) : fullName(given, family);
}

function custom(value) {
  if (value === undefined || value === null) {
    return undefined;
  }
  const { algorithm, hash: { value: digest, encoding } = {}, salt } = value;
  if (["argon2", "bcrypt", "pbkdf2"].includes(algorithm)) {
    return digest;
  }
  if (algorithm !== "scrypt") {
    // MD4, MD5, SHA-1, SHA-2, HMAC and LDAP.
    throw new Refusal("hash_too_fast");
  }
  // The salt is the text itself unless its encoding says otherwise.
  const base64 = { base64: (data) => data, hex: fromHex, utf8: (data) => Buffer.from(data).toString("base64") };
  const read = (data, kind) => base64[kind]?.(String(data));
  const parameters = { n: value.cost ?? 16384, blockSize: value.blockSize ?? 8, lanes: value.parallelization ?? 1 };
  return scrypt(parameters, read(salt?.value, salt?.encoding ?? "utf8"), read(digest, encoding));
}
