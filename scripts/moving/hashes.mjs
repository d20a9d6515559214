// Password hashes that other systems store in parts, or in a form of their own, as texts that the service knows.
import { Refusal } from "./failure.mjs";

/** Base64 without padding, as PHC strings have it, of base64 with or without. */
const unpadded = (base64) => base64.replace(/=+$/, "");

/** Refuses a hash whose parts are missing. */
function complete(...parts) {
  if (parts.some((part) => typeof part !== "string" || part === "" || part.includes("$"))) {
    throw new Refusal("hash_malformed");
  }
}

const bytesIn = (base64) => Buffer.from(base64, "base64").length;

/** PBKDF2 as a PHC string. The digest is `sha1`, `sha256` or `sha512`; salt and hash are base64. */
export function pbkdf2(digest, rounds, salt, hash) {
  complete(salt, hash);
  return `$pbkdf2-${digest}$i=${rounds},l=${bytesIn(hash)}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Argon2 as a PHC string. The kind is `id`, `i` or `d`. */
export function argon2({ kind, version, memory, passes, lanes }, salt, hash) {
  complete(salt, hash);
  return `$argon2${kind}$v=${version}$m=${memory},t=${passes},p=${lanes}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Scrypt as a PHC string. `n` is a power of two. */
export function scrypt({ n, blockSize, lanes }, salt, hash) {
  complete(salt, hash);
  const logarithm = Math.log2(n);
  if (!Number.isInteger(logarithm)) {
    throw new Refusal("hash_malformed");
  }
  return `$scrypt$ln=${logarithm},r=${blockSize},p=${lanes}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** The scrypt of Firebase. */
export function firebase({ memoryCost, rounds, separator, signerKey }, salt, hash) {
  complete(salt, hash, signerKey);
  return `$fbscrypt$v=1,n=${memoryCost},r=${rounds},p=1,ss=${separator},sk=${signerKey}$${salt}$${hash}`;
}

/** Base64 of hexadecimal digits. */
export const fromHex = (digits) => Buffer.from(digits, "hex").toString("base64");
