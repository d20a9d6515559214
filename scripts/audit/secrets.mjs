// The SECRET_KEY that encrypted a row: of the environment, or else of .dev.vars. Its neighbours during a change count too.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";

import { AuditFailure } from "./fault.mjs";

const FILE = ".dev.vars";
const NAMES = ["SECRET_KEY", "SECRET_KEY_NEXT", "SECRET_KEY_PREVIOUS"];

/** The id by which rows name a secret (src/domain/secret_keys.rs). */
export const idOf = (secret) => createHash("sha256").update("edge-auth key id\0").update(secret).digest("hex").slice(0, 16);

/** The secret with this id. */
export function secretOf(id, environment = process.env) {
  const isGiven = Boolean(environment.SECRET_KEY);
  const values = isGiven ? environment : existsSync(FILE) ? parseEnv(readFileSync(FILE, "utf8")) : {};
  const secrets = NAMES.map((name) => values[name]).filter(Boolean);
  const secret = secrets.find((candidate) => idOf(candidate) === id);
  if (secret === undefined) {
    const place = isGiven ? "the environment" : FILE;
    const found = secrets.length === 0 ? `${place} has none` : `that of ${place} is ${secrets.map(idOf).join(" or ")}`;
    throw new AuditFailure(`The archive's key is encrypted by the SECRET_KEY with the id ${id}, and ${found}. Export SECRET_KEY in this shell.`);
  }
  return secret;
}
