// Clerk: the CSV of the dashboard's user export.
//
// https://clerk.com/docs/guides/development/migrating/export-from-clerk
// The forms of `password_digest`, by `password_hasher`: https://clerk.com/docs/reference/backend-api (CreateUser)
import { Refusal } from "../failure.mjs";
import { firebase, pbkdf2 } from "../hashes.mjs";
import { fullName, hash, isBlank, moment, text, truth } from "../values.mjs";

const listed = (value) => String(value ?? "").split(/[|,;\s]+/).filter((address) => address !== "");

export function clerk(entry) {
  const verified = listed(entry.verified_email_addresses);
  const email = text(entry.primary_email_address) ?? verified[0] ?? listed(entry.unverified_email_addresses)[0];
  const isBanned = truth(entry.banned, "is_active_invalid");
  return {
    external_id: text(entry.id),
    email,
    email_verified: verified.includes(email),
    full_name: fullName(entry.first_name, entry.last_name),
    password_hash: hashOf(hash(entry.password_digest), entry.password_hasher),
    created_at: moment(entry.created_at),
    is_active: isBanned === undefined ? undefined : !isBanned,
  };
}

/** Most digests have the form of their system already. */
function hashOf(digest, hasher) {
  if (digest === undefined || isBlank(hasher) || !Object.hasOwn(FORMS, hasher)) {
    return digest;
  }
  const { count, write } = FORMS[hasher];
  const parts = digest.split("$");
  if (parts.length !== count) {
    throw new Refusal("hash_malformed");
  }
  return write(parts);
}

const FORMS = {
  // Salt and hash are base64, unlike Django's of the same beginning.
  pbkdf2_sha256: { count: 4, write: ([, rounds, salt, key]) => pbkdf2("sha256", rounds, salt, key) },
  // The salt is a text, the hash hexadecimal: Django's has base64.
  pbkdf2_sha1: {
    count: 4,
    write: ([name, rounds, salt, digits]) => [name, rounds, salt, Buffer.from(digits, "hex").toString("base64")].join("$"),
  },
  scrypt_firebase: {
    count: 6,
    write: ([key, salt, signerKey, separator, rounds, memoryCost]) =>
      firebase({ memoryCost, rounds, separator, signerKey }, salt, key),
  },
};
