// Makes a registered user an administrator of the platform. In the environment: EMAIL, STATE (the folder of the local
// database) and, for the database of a deployment, REMOTE (its name in wrangler.toml).
//
// The first administrator is made by whoever can write to the database, never by a default account or password.
import { execute, giveUp, quoted, storedEmail } from "./database.mjs";

const { EMAIL: email, STATE: state, REMOTE: environment } = process.env;
if (!email) {
  giveUp("Say who: make admin EMAIL=ada@example.com");
}
const address = quoted(storedEmail(email));
const now = Date.now();
const request = quoted(`make-admin-${now}`);
const results = execute(
  `INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
     SELECT id, NULL, 'PLATFORM_ADMIN', NULL, ${now} FROM users
     WHERE email = ${address} AND is_active = 1 AND erasure_cursor IS NULL
     ON CONFLICT DO NOTHING;
   INSERT INTO audit_events (created_at, type, reason, user_id, request_id)
     SELECT ${now}, 'role_granted', 'PLATFORM_ADMIN', user_id, ${request} FROM user_university_roles
     WHERE role = 'PLATFORM_ADMIN' AND created_at = ${now}
       AND user_id = (SELECT id FROM users WHERE email = ${address});
   SELECT u.id, u.is_active, g.id AS grant_id, g.created_at FROM users AS u
     LEFT JOIN user_university_roles AS g ON g.user_id = u.id AND g.role = 'PLATFORM_ADMIN'
     WHERE u.email = ${address};`,
  { state, environment },
);
const [user] = results.at(-1);
if (!user) {
  giveUp(`Nobody is registered as ${email}. Register first: POST /auth/register.`);
}
if (!user.grant_id) {
  giveUp(`${email} is disabled: enable the account first.`);
}
console.log(
  user.created_at === now
    ? `${email} (user ${user.id}) is an administrator of the platform now.`
    : `${email} (user ${user.id}) was an administrator of the platform already.`,
);
