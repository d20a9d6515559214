// The personal fields of archived events. Their key is derived from the archive's master key and from a salt of each account concerned;
// the erasure of an account deletes its salt.
import { createDecipheriv, hkdfSync } from "node:crypto";

import { AuditFailure } from "./fault.mjs";
import { secretOf } from "./secrets.mjs";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONE = { ip: null, user_agent: null, request_id: null, ray: null };

/** Decrypts as `decrypt` of src/shell/web-crypto.mjs; `undefined` for a text of another key, purpose or row. */
export function decrypt(secret, purpose, row, ciphertext) {
  const bytes = Buffer.from(ciphertext, "base64url");
  const key = Buffer.from(hkdfSync("sha256", secret, "", purpose, 32));
  try {
    const cipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES));
    cipher.setAAD(Buffer.from(row)).setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([cipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), cipher.final()]).toString();
  } catch {
    return undefined;
  }
}

export class PersonalFields {
  /** Events whose account has a salt that is not the one of their encryption. */
  undecipherable = 0;
  #master;
  #salts;

  /**
   * @param {object} secrets as `Stored` reads them
   * @param {{kid: string, master_key: string, encrypted_by: string}} [secrets.key] the row of the archive's key; none before its first run
   * @param {Map<number, string>} secrets.salts by account
   */
  constructor({ key, salts }) {
    this.#salts = salts;
    if (key !== undefined) {
      this.#master = decrypt(secretOf(key.encrypted_by), "edge-auth audit master", key.kid, key.master_key);
      if (this.#master === undefined) {
        throw new AuditFailure("The master key of the archive cannot be decrypted: its row in the database was changed.");
      }
    }
  }

  /** The four fields of an event; null for each if an account was erased. */
  of({ id, user_id: subject, actor_id: actor, personal }) {
    const salts = [subject, actor].map((account) => (account === null ? "" : this.#salts.get(account)));
    if (personal === null || salts.includes(undefined)) {
      return NONE;
    }
    const text = decrypt([this.#master, ...salts].join("."), "edge-auth audit event", String(id), personal);
    if (text === undefined) {
      this.undecipherable += 1;
      return NONE;
    }
    const { ip, user_agent, request_id, ray } = JSON.parse(text);
    return { ip, user_agent, request_id, ray };
  }
}
