// Encrypts as the service does, by its own code: the master key of an archive, and the personal fields of events.
import { createHash, randomBytes } from "node:crypto";

import { cryptography } from "../../../src/shell/web-crypto.mjs";
import { newKey } from "./audit-chain.mjs";

const random = (bytes) => randomBytes(bytes).toString("base64url");
export const newSalt = () => random(16);

/** A key of an archive, with its master key: encrypted by this SECRET_KEY. */
export async function newSealedKey(secretKey) {
  const key = newKey();
  const master = random(32);
  const masterKey = await cryptography.encrypt({}, [secretKey, "edge-auth audit master", key.kid, master]);
  const encryptedBy = createHash("sha256").update(`edge-auth key id\0${secretKey}`).digest("hex").slice(0, 16);
  return { ...key, master, sealed: { master_key: masterKey, encrypted_by: encryptedBy } };
}

/** The event with these personal fields; `salts` by account. */
export async function withPersonal(event, fields, { master }, salts) {
  const [subject, actor] = [event.user_id, event.actor_id].map((account) => (account === null ? "" : salts.get(account)));
  const secret = `${master}.${subject}.${actor}`;
  const text = JSON.stringify(fields);
  return { ...event, personal: await cryptography.encrypt({}, [secret, "edge-auth audit event", String(event.id), text]) };
}
