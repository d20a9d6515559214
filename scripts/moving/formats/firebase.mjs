// Firebase: `firebase auth:export users.json`, and the parameters of the project's hashes.
//
// https://firebase.google.com/docs/cli/auth
import { readFileSync } from "node:fs";

import { ImportFailure } from "../failure.mjs";
import { firebase as firebaseHash } from "../hashes.mjs";
import { fullName, hash, isBlank, moment, text, truth } from "../values.mjs";

export function firebase(entry, { hashConfig }) {
  const isDisabled = truth(entry.disabled, "is_active_invalid");
  return {
    external_id: text(entry.localId),
    email: text(entry.email),
    email_verified: truth(entry.emailVerified, "email_verified_invalid"),
    full_name: fullName(entry.displayName),
    password_hash: hashOf(hash(entry.passwordHash), entry.salt, hashConfig),
    created_at: moment(entry.createdAt),
    is_active: isDisabled === undefined ? undefined : !isDisabled,
  };
}

function hashOf(key, salt, config) {
  if (key === undefined) {
    return undefined;
  }
  if (config === undefined) {
    throw new ImportFailure(
      "The users have passwords, and their hashes need the parameters of the project: HASH_CONFIG=file, with the text that the " +
        "Firebase console shows (Authentication, Users, ⋮, Password hash parameters).",
    );
  }
  return firebaseHash(config, salt, key);
}

/** Reads the parameters as the console shows them, `hash_config { … }`, or as JSON with these members. */
export function readHashConfig(path) {
  const content = contentOf(path);
  const value = (name) => new RegExp(`"?${name}"?\\s*[:=]\\s*"?([\\w+/=-]+)`).exec(content)?.[1];
  const config = {
    algorithm: value("algorithm") ?? "SCRYPT",
    signerKey: value("base64_signer_key"),
    separator: value("base64_salt_separator"),
    rounds: value("rounds"),
    memoryCost: value("mem_cost"),
  };
  if (Object.values(config).some(isBlank) || config.algorithm !== "SCRYPT") {
    const names = "algorithm: SCRYPT, base64_signer_key, base64_salt_separator, rounds and mem_cost";
    throw new ImportFailure(`HASH_CONFIG= must be a file with ${names}, as the Firebase console shows them.`);
  }
  return config;
}

function contentOf(path) {
  try {
    return readFileSync(path, "utf8");
  } catch ({ code }) {
    throw new ImportFailure(`HASH_CONFIG=${path} cannot be read: ${code}.`);
  }
}
