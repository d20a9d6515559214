// The scopes, ids and keys of service accounts, in the formats of the service.
import { createHash, randomBytes, randomInt } from "node:crypto";

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
