// Service accounts and their keys, as statements for the database. Ids, keys and events have the formats of the service.
import { createHash, randomBytes, randomInt } from "node:crypto";

import { quoted } from "./database.mjs";

/** As `src/domain/machine/scope.rs` has them, in that order. */
export const SCOPES = ["introspect", "authz:check", "users:read", "users:import", "roles:grant", "audit:read", "client-address"];

const hex = (text) => createHash("sha256").update(text).digest("hex");

/** Ids grow with time, as `src/domain/ids.rs` draws them: minutes since 2025, and 24 random bits. */
export const drawId = (now) => Math.floor((now - Date.UTC(2025)) / 60_000) * 2 ** 24 + randomInt(2 ** 24);

export const newClientId = () => `sa_${randomBytes(16).toString("hex")}`;

/** A key in the format of `src/domain/machine/api_key.rs`, and the hash of its secret, which is all that is stored. */
export function newKey(id) {
  const secret = randomBytes(32).toString("hex");
  const signed = `ea_sk_${id}_${secret}`;
  return { key: `${signed}_${hex(signed).slice(0, 8)}`, hash: hex(`edge-auth api key\0${secret}`) };
}

export const insertAccount = ({ id, clientId, name, scopes, now }) =>
  `INSERT INTO service_accounts (id, client_id, name, scopes, created_at, updated_at)
     VALUES (${id}, ${quoted(clientId)}, ${quoted(name)}, ${quoted(JSON.stringify(scopes))}, ${now}, ${now});`;

/** `expiresAt` in milliseconds, for a key that ends by itself. */
export const insertKey = ({ id, accountId, hash, now, expiresAt = "NULL" }) =>
  `INSERT INTO api_keys (id, service_account_id, secret_hash, created_at, expires_at)
     VALUES (${id}, ${accountId}, ${quoted(hash)}, ${now}, ${expiresAt});`;

/** The event of a change to an account or a key. `source` names the command in place of a request. */
export const insertEvent = ({ type, clientId, objectId, now, source = "make-admin" }) =>
  `INSERT INTO audit_events (created_at, type, reason, object_id, request_id)
     VALUES (${now}, ${quoted(type)}, ${quoted(clientId)}, ${objectId}, ${quoted(`${source}-${now}`)});`;
