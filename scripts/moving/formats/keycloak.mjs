// Keycloak: `kc.sh export`, a realm with its users, or a file of users only.
//
// https://www.keycloak.org/server/importExport
// The credentials: PasswordCredentialData and PasswordSecretData of org.keycloak.models.credential.dto.
import { Refusal } from "../failure.mjs";
import { argon2, pbkdf2 } from "../hashes.mjs";
import { fullName, hash, moment, nested, text, truth } from "../values.mjs";

const DIGESTS = { pbkdf2: "sha1", "pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512" };
const ARGON2_VERSIONS = { "1.0": 16, "1.3": 19 };

export function keycloak(entry) {
  if (entry.serviceAccountClientId) {
    throw new Refusal("service_account");
  }
  return {
    external_id: text(entry.id),
    email: text(entry.email),
    email_verified: truth(entry.emailVerified, "email_verified_invalid"),
    full_name: fullName(entry.firstName, entry.lastName),
    password_hash: hashOf(entry.credentials?.find?.(({ type }) => type === "password")),
    created_at: moment(entry.createdTimestamp),
    is_active: truth(entry.enabled, "is_active_invalid"),
  };
}

function hashOf(credential) {
  if (!credential) {
    return undefined;
  }
  const secret = nested(credential.secretData) ?? {};
  const data = nested(credential.credentialData) ?? credential;
  // Before version 8 the credential had these members itself.
  const key = hash(secret.value) ?? hash(credential.hashedSaltedValue);
  const salt = hash(secret.salt) ?? hash(credential.salt);
  const rounds = data.hashIterations;
  if (data.algorithm === "argon2") {
    return argon2(argon2Of(data.additionalParameters ?? {}, rounds), salt, key);
  }
  if (!Object.hasOwn(DIGESTS, data.algorithm ?? "")) {
    throw new Refusal("hash_unknown");
  }
  return pbkdf2(DIGESTS[data.algorithm], rounds, salt, key);
}

function argon2Of(parameters, passes) {
  const first = (name) => [parameters[name]].flat()[0];
  const version = ARGON2_VERSIONS[first("version")];
  return { kind: first("type"), version, memory: first("memory"), passes, lanes: first("parallelism") };
}
