// Ory Kratos: identities with their credentials, one JSON object a line, or a list.
//
// https://www.ory.com/docs/kratos/manage-identities/import-user-accounts-identities
// The forms of `hashed_password`: https://www.ory.com/docs/kratos/concepts/credentials/username-email-password
import { Refusal } from "../failure.mjs";
import { firebase, pbkdf2, scrypt } from "../hashes.mjs";
import { fullName, hash, moment, nested, text } from "../values.mjs";

export function kratos(entry) {
  const traits = nested(entry.traits) ?? {};
  const addresses = entry.verifiable_addresses ?? [];
  const email = text(traits.email) ?? text(addresses.find(({ via }) => via === "email")?.value);
  const isVerified = addresses.some(({ value, verified }) => verified === true && same(value, email));
  const config = nested(entry.credentials?.password?.config);
  return {
    external_id: text(entry.id),
    email,
    email_verified: isVerified,
    full_name: nameOf(traits.name),
    password_hash: hashOf(hash(config?.hashed_password)),
    created_at: moment(entry.created_at),
    is_active: entry.state === "inactive" ? false : undefined,
  };
}

const same = (one, other) => String(one).toLowerCase() === String(other).toLowerCase();
const nameOf = (name) => (typeof name === "object" ? fullName(name?.first, name?.last) : fullName(name));

const PBKDF2 = /^\$pbkdf2-(sha1|sha256|sha512)\$i=(\d+),l=\d+\$([^$]+)\$([^$]+)$/;
const SCRYPT = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/;
const FIREBASE = /^\$firescrypt\$ln=(\d+),r=(\d+),p=\d+\$([^$]*)\$([^$]*)\$([^$]*)\$([^$]*)$/;

/** Kratos' own texts differ from PHC strings: `ln` is N itself, `l` need not be the length, base64 has padding. */
function hashOf(stored) {
  if (typeof stored !== "string") {
    return stored;
  }
  const [ofPbkdf2, ofScrypt, ofFirebase] = [PBKDF2, SCRYPT, FIREBASE].map((form) => form.exec(stored)?.slice(1));
  if (ofPbkdf2) {
    return pbkdf2(...ofPbkdf2);
  }
  if (ofScrypt) {
    const [n, blockSize, lanes, salt, key] = ofScrypt;
    return scrypt({ n: Number(n) < 64 ? 2 ** Number(n) : Number(n), blockSize, lanes }, salt, key);
  }
  if (ofFirebase) {
    const [memoryCost, rounds, salt, key, separator, signerKey] = ofFirebase;
    return firebase({ memoryCost, rounds, separator, signerKey }, salt, key);
  }
  if (/^\$(md5|sha1|sha256|sha512|hmac-\w+|ssha\w*)\$/i.test(stored)) {
    throw new Refusal("hash_too_fast");
  }
  return stored;
}
