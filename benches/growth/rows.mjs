// The rows of the second floor for the growth benchmark: half of the users, those with even numbers, have an authenticator app,
// recovery codes, a passkey, a linked identity, an API key, a role, a verified address, and rows that pass,
// such as proofs of mails and used flows. The secrets are of the right length, and open nothing.
//
// Some users are left out. They get such rows by the service itself, since they will use them (`people.mjs`).
import { withStored } from "../../tests/growth/support/stored.mjs";
import { fillWith, numbers, scatter } from "../../tests/growth/support/rows.mjs";

/** Users that use factors, identities and keys, spread evenly over all; of each kind a third. */
export const EQUIPPED = 120;
/** A university per this many users, and half as many pending invitations as users. */
export const USERS_OF_UNIVERSITY = 100;
const HOUR = 3_600_000;

/** The numbers of the users that use theirs: all of them are even. */
export const stepOf = (users) => Math.floor(users / EQUIPPED / 2) * 2;

const random = "n * 16777259 + 1";
const hex64 = `printf('%08x%056x', ${scatter("n")}, n)`;

const statements = (users) => {
  const each = numbers(1, users);
  const equipped = `FROM numbers WHERE n % 2 = 0 AND n % ${stepOf(users)} <> 0`;
  const universities = users / USERS_OF_UNIVERSITY;
  return [
    // Others would get a notice of their first sign-in.
    "UPDATE users SET email_verified_at = ?1 WHERE id % 2 = 0",
    `INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at)
     ${each} SELECT ${random}, n, 1, substr(${hex64}, 1, 48), 'another', ?1 ${equipped}`,
    `INSERT INTO recovery_codes (user_id, hashes, created_at)
     ${each} SELECT n, '["' || ${hex64} || '"]', ?1 ${equipped}`,
    `INSERT INTO passkeys (id, user_id, credential_id, name, algorithm, public_key, sign_count, transports, is_backup_eligible,
                           is_backed_up, created_at)
     ${each} SELECT ${random}, n, substr(${hex64}, 1, 43), 'Key', 'ES256', ${hex64} || substr(${hex64}, 1, 22), 0, '[]', 1, 1, ?1 ${equipped}`,
    `INSERT INTO identities (id, user_id, provider, issuer, subject, email, created_at)
     ${each} SELECT ${random}, n, 'other', 'https://login.other.example', printf('%08x%08x', ${scatter("n")}, n),
                    'user-' || n || '@mail.example', ?1 ${equipped}`,
    `INSERT INTO api_keys (id, user_id, name, permissions, secret_hash, created_at)
     ${each} SELECT ${random}, n, 'Reports', '["universities:view"]', ${hex64}, ?1 ${equipped}`,
    `INSERT INTO email_proofs (id, purpose, user_id, address, password_version, is_of_owner, created_at, expires_at, code_expires_at)
     ${each} SELECT ${random}, 'reset', n, 'user-' || n || '@mail.example', 1, 0, ?1, ?1 + ${HOUR}, ?1 + ${HOUR} ${equipped}`,
    `INSERT INTO used_flows (id, returned_by, redeemed_by, expires_at)
     ${each} SELECT ${random}, n, n, ?1 + ${HOUR} ${equipped}`,
    `INSERT INTO used_challenges (id, user_id, used_at, expires_at)
     ${each} SELECT ${random}, n, ?1, ?1 + ${HOUR} ${equipped}`,
    // The keys of the service begin with a word.
    `INSERT INTO mail_counts (key, window_started_at, last_at, count, nonce)
     ${each} SELECT printf('#%08x%024x', ${scatter("n")}, n), ?1, ?1, 1, n ${equipped} ORDER BY 1`,
    `INSERT INTO universities (id, name, slug, created_at)
     ${numbers(1, universities)} SELECT n, 'University ' || n, 'university-' || n, ?1 FROM numbers`,
    `INSERT INTO user_university_roles (user_id, university_id, role, created_at)
     ${each} SELECT n, 1 + n % ${universities}, 'STUDENT', ?1 ${equipped}`,
    `INSERT INTO invitations (id, university_id, email, role, invited_by, created_at, expires_at, sent_at, nonce)
     ${each} SELECT ${random}, 1 + n % ${universities}, 'invited-' || n || '@mail.example', 'TA', 1, ?1, ?1 + ${HOUR}, ?1, n ${equipped}`,
    // The administrator of the benchmark.
    "INSERT INTO user_university_roles (user_id, university_id, role, created_at) VALUES (1, NULL, 'PLATFORM_ADMIN', ?1)",
  ];
};

/** Fills the tables of a database that has its users, and is not in use. */
export function fillSecondFloor(folder, users) {
  withStored(folder, (db) => {
    fillWith(db, () => statements(users).forEach((sql) => db.prepare(sql).run(Date.now())));
  });
}
