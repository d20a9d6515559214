// Stored password hashes, made without the service: accounts from before a change of its rules or of its settings.
import { pbkdf2Sync } from "node:crypto";

const base64 = (bytes) => bytes.toString("base64").replace(/=+$/, "");

/** The PHC string of a password, with this many rounds. */
export function phc(password, rounds) {
  const salt = Buffer.from("0123456789abcdef");
  return `$pbkdf2-sha256$i=${rounds},l=32$${base64(salt)}$${base64(pbkdf2Sync(password, salt, rounds, 32, "sha256"))}`;
}
