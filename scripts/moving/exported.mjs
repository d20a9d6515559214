// A row of `users` as a line of an import, and its password hash as other systems read it.

/** The beginning of the stored text of a hash that was imported, and has not been replaced yet (`domain/password/stored.rs`). */
const IMPORTED = "imported:";
/** The beginning that tells an import of this service that the password was normalised. */
const OWN = "edge-auth:";
const PBKDF2 = /^\$pbkdf2-sha256\$i=(\d+),l=32\$([^$]+)\$([^$]+)$/;

/** The line of a user. Old ids and ids of this service might be equal, so the latter have a prefix. */
export function lineOf(user, roles, format) {
  return {
    external_id: user.external_id ?? `${OWN}${user.id}`,
    email: user.email,
    email_verified: user.email_verified_at !== null,
    ...(user.full_name === null ? {} : { full_name: user.full_name }),
    ...(user.password_hash === null ? {} : { password_hash: hashOf(user.password_hash, format) }),
    created_at: new Date(user.created_at).toISOString(),
    is_active: user.is_active === 1,
    ...(roles.length === 0 ? {} : { roles: roles.map(roleOf) }),
  };
}

function roleOf({ role, university_id: universityId, department_id: departmentId }) {
  const department = departmentId === null ? {} : { department_id: departmentId };
  return { role, university_id: universityId, ...department };
}

/** The text of a stored hash. Passlib separates PBKDF2's parts otherwise, and writes `.` for `+`; Argon2id is the same to both. */
export function hashOf(stored, format) {
  if (stored.startsWith(IMPORTED)) {
    return stored.slice(IMPORTED.length);
  }
  return format === "passlib" ? ofPasslib(stored) : OWN + stored;
}

function ofPasslib(stored) {
  const [, rounds, salt, key] = PBKDF2.exec(stored) ?? [];
  return rounds === undefined ? stored : `$pbkdf2-sha256$${rounds}$${[salt, key].join("$").replaceAll("+", ".")}`;
}
