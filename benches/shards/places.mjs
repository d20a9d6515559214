// Which statements and batches of the service touch one place only, if users lie in slices and tenants in D1: counted by the
// tables that their texts name, with the roles of a user in either place. The bodies of triggers do not count.

/** Rows of one user, which a slice would hold. */
const OF_USERS = [
  "users",
  "sessions",
  "refresh_tokens",
  "throttles",
  "email_proofs",
  "mails",
  "notice_counts",
  "totp_secrets",
  "recovery_codes",
  "passkeys",
  "used_challenges",
  "identities",
  "audit_events",
];
/** Rows of tenants and of service accounts. */
const OF_TENANTS = ["universities", "departments", "courses", "enrollments", "invitations", "service_accounts"];
/** Rows that each place would hold for itself, or a copy of them: keys, counters of networks, used flows. */
const OF_EACH = [
  "signing_keys",
  "key_ring",
  "api_keys",
  "mail_counts",
  "registration_counts",
  "used_flows",
  "clean_up_positions",
];
const ROLES = "user_university_roles";

const namesAny = (text, tables) => tables.some((table) => new RegExp(`\\b${table}\\b`).test(text));

function placeOf(text, ofUsers, ofTenants) {
  const [inSlice, inD1] = [namesAny(text, ofUsers), namesAny(text, ofTenants)];
  return inSlice && inD1 ? "both" : inSlice ? "slice" : inD1 ? "D1" : namesAny(text, OF_EACH) ? "each" : "none";
}

function count(texts, ofUsers, ofTenants) {
  const sums = { slice: 0, D1: 0, each: 0, none: 0, both: 0 };
  texts.forEach((text) => (sums[placeOf(text, ofUsers, ofTenants)] += 1));
  return sums;
}

/** The numbers of distinct statements and batches by their place: with the roles in D1, and with them in the slices. */
export function places(batches) {
  const texts = { statements: [...new Set(batches.flat())], batches: batches.map((batch) => batch.join("\n")) };
  const counts = (kind) => ({
    all: texts[kind].length,
    roles_in_d1: count(texts[kind], OF_USERS, [...OF_TENANTS, ROLES]),
    roles_in_slices: count(texts[kind], [...OF_USERS, ROLES], OF_TENANTS),
  });
  return { statements: counts("statements"), batches: counts("batches") };
}
