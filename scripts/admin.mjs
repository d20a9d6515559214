// Makes a registered user an administrator of the platform. Environment variables: EMAIL, STATE (the folder of the
// local database), for the database of a deployment REMOTE (its name in wrangler.toml), and UNVERIFIED=yes for an
// account whose address is not verified: a stranger may have registered it.
//
// The first administrator requires write access to the database: there is no default account or password.
import { execute, giveUp, named, quoted, storedEmail } from "./database.mjs";

/** The service's limit of grants per user, since every request reads them. */
const MAX_GRANTS = 200;

const { EMAIL = "", STATE: state, REMOTE: environment, UNVERIFIED: unverified } = process.env;
const database = { state, environment };
const email = storedEmail(EMAIL);
if (!email) {
  giveUp("Say who: make admin EMAIL=ada@example.com");
}
const address = quoted(email);
const now = Date.now();
const [granted, , [user]] = execute(
  `INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
     SELECT u.id, NULL, 'PLATFORM_ADMIN', NULL, ${now} FROM users AS u
     WHERE u.email = ${address} AND u.is_active = 1 AND u.erasure_cursor IS NULL
       AND (u.email_verified_at IS NOT NULL OR ${unverified === "yes" ? 1 : 0})
       AND (SELECT count(*) FROM user_university_roles WHERE user_id = u.id) < ${MAX_GRANTS}
     ON CONFLICT DO NOTHING
     RETURNING id;
   INSERT INTO audit_events (created_at, type, reason, user_id, request_id)
     SELECT ${now}, 'role_granted', 'PLATFORM_ADMIN', id, ${quoted(`make-admin-${now}`)} FROM users
     WHERE email = ${address} AND changes() > 0;
   SELECT u.id, u.is_active, u.created_at, u.email_verified_at, EXISTS (
       SELECT 1 FROM user_university_roles WHERE user_id = u.id AND role = 'PLATFORM_ADMIN'
     ) AS is_administrator
     FROM users AS u WHERE u.email = ${address} AND u.erasure_cursor IS NULL;`,
  database,
);
const where = named(database);
if (!user) {
  giveUp(`Nobody is registered as ${email} in ${where}. Register first: POST /auth/register.`);
}
const label = `${email} (user ${user.id})`;
if (!user.is_active) {
  giveUp(`${label} is disabled in ${where}: enable the account first.`);
}
const registered = `registered at ${new Date(user.created_at).toISOString()}`;
if (!user.is_administrator && !user.email_verified_at && unverified !== "yes") {
  giveUp(
    `${label} in ${where} was ${registered} and has not verified the address: anyone may have registered it. ` +
      "Verify it, or add UNVERIFIED=yes if the account is yours.",
  );
}
if (!user.is_administrator) {
  giveUp(`${label} has ${MAX_GRANTS} roles in ${where}, as many as a user may have: take one away first.`);
}
console.log(`${label} was ${registered}. The address is ${user.email_verified_at ? "" : "not "}verified.`);
console.log(
  granted.length > 0
    ? `${label} is an administrator of the platform now, in ${where}.`
    : `${label} was an administrator of the platform already, in ${where}.`,
);
