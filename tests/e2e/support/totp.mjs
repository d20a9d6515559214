// Authenticator apps (RFC 6238), written without the service's code.
import { createHmac } from "node:crypto";

const STEP_MS = 30_000;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The number of the present time step. */
export const stepNow = () => Math.floor(Date.now() / STEP_MS);

/** The bytes of a secret in base32. */
export function secretBytes(secret) {
  const bits = [...secret].map((symbol) => ALPHABET.indexOf(symbol).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

/** The code that an app with this secret shows in a time step (RFC 4226 §5.3). */
export function totp(secret, step = stepNow()) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secretBytes(secret)).update(counter).digest();
  const number = mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

/** Codes of the right form, each another one, that are valid in no step of this hour. */
export function wrongCodes(secret, count) {
  const right = new Set(Array.from({ length: 240 }, (_, index) => totp(secret, stepNow() - 120 + index)));
  const codes = Array.from({ length: count + right.size }, (_, index) => String(index * 37).padStart(6, "0"));
  return codes.filter((code) => !right.has(code)).slice(0, count);
}
