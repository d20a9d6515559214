// The measured operations: `prepare` makes the subject of one request, near the primary and unmeasured; `before` is an
// unmeasured request of the same client in the same region; `run` is the measured one.
import { asUser, login, logout, me, newUser, post, refresh, register, send, signUp } from "../../tests/e2e/support/client.mjs";
import { complete, confirm, due, enrol, stepUp, withTotp } from "../../tests/e2e/support/factors.mjs";
import { createCourse, createUniversity, made, member, newName, platformAdmin } from "../../tests/e2e/support/roles.mjs";
import { totp } from "../../tests/e2e/support/totp.mjs";

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

/** The things that the operations share: an administrator, a university with a course, and a service account. */
export async function settled(service) {
  const boss = await platformAdmin(service);
  const { id: university } = await made(createUniversity(service, boss));
  const { id: course } = await made(createCourse(service, boss, university));
  const body = { name: "Gateway", scopes: ["introspect"] };
  const account = await made(asUser(service, boss.access, "POST", "/admin/service-accounts", body));
  return { boss, university, course, account };
}

const anyone = (service) => signUp(service);
const student = (service, { boss, university }) => member(service, boss, university, "STUDENT");
/** An operation of a signed-in user. */
const own = (title, method, path, status, value, prepare = anyone) => ({
  title,
  status,
  prepare,
  run: (service, { access, user }, headers, shared) =>
    asUser(service, access, method, filled(path, shared), value?.(user, shared), headers),
});
/** An operation of the administrator. */
const managed = (title, method, path, status, value) => ({
  title,
  status,
  prepare: anyone,
  run: (service, subject, headers, shared) =>
    asUser(service, shared.boss.access, method, filled(path, { ...shared, user: subject.id }), value?.(subject, shared), headers),
});
const filled = (path, values) => path.replace(/\{(\w+)\}/g, (_, name) => values[name]);

const newProfile = () => ({ full_name: newName("Person") });
const viewing = (_, { university }) => ({ permission: "universities:view", university_id: university });
const changedPassword = ({ password }) => ({ current_password: password, new_password: `${password}!` });
const newKey = () => ({ name: "Key", permissions: ["universities:view"] });
const asStudent = ({ id }) => ({ user_id: id, role: "STUDENT" });
const newCourse = () => ({ title: "Course", code: newName("C"), is_public: true });

export const OPERATIONS = [
  {
    title: "register",
    status: 201,
    prepare: () => newUser(),
    run: (service, user, headers) => register(service, user, headers),
  },
  { title: "login", status: 200, prepare: anyone, run: (service, { user }, headers) => login(service, user, headers) },
  {
    title: "login, second step (app)",
    status: 200,
    async prepare(service) {
      const { user, secret } = await withTotp(service);
      return { secret, ...(await due(service, user)) };
    },
    run: (service, { mfa_token, secret }, headers) => complete(service, { mfa_token, code: totp(secret) }, headers),
  },
  { title: "refresh", status: 200, prepare: anyone, run: (service, { refresh: token }, headers) => refresh(service, token, headers) },
  { title: "logout", status: 200, prepare: anyone, run: (service, { refresh: token }, headers) => logout(service, token, headers) },
  { title: "me", status: 200, prepare: anyone, run: (service, { access }, headers) => me(service, access, headers) },
  {
    title: "me, directly after a change",
    status: 200,
    prepare: anyone,
    before: (service, { access }, headers) => asUser(service, access, "PATCH", "/users/me", newProfile(), headers),
    run: (service, { access }, headers) => me(service, access, headers),
  },
  own("list sessions", "GET", "/auth/sessions", 200),
  own("list universities", "GET", "/universities", 200, undefined, student),
  own("`/authz/check`", "POST", "/authz/check", 200, viewing, student),
  managed("list users (administrator)", "GET", "/admin/users", 200),
  {
    title: "introspection",
    status: 200,
    prepare: anyone,
    run(service, { access }, headers, { account }) {
      const all = { ...FORM, Authorization: `Bearer ${account.key}`, ...headers };
      return send(service, "/oauth/introspect", { method: "POST", headers: all, body: `token=${access}` });
    },
  },
  own("update profile", "PATCH", "/users/me", 200, newProfile),
  own("change password", "PUT", "/users/me/password", 200, changedPassword),
  {
    title: "step-up with password",
    status: 200,
    prepare: anyone,
    run: (service, { access, user }, headers) => stepUp(service, access, { password: user.password }, headers),
  },
  {
    title: "add an authenticator app",
    status: 201,
    prepare: anyone,
    run: (service, { access }, headers) => enrol(service, access, headers),
  },
  {
    title: "confirm an authenticator app",
    status: 200,
    async prepare(service) {
      const { access } = await signUp(service);
      return { access, ...(await made(enrol(service, access))) };
    },
    run: (service, { access, secret }, headers) => confirm(service, access, totp(secret), headers),
  },
  own("create an API key", "POST", "/users/me/api-keys", 201, newKey),
  own("end all sessions", "POST", "/auth/logout-all", 200),
  managed("grant a role", "POST", "/universities/{university}/roles", 201, asStudent),
  managed("create a course", "POST", "/universities/{university}/courses", 201, newCourse),
  own("enrol in a course", "POST", "/courses/{course}/enrollments", 201, undefined, student),
  managed("change a user (administrator)", "PATCH", "/admin/users/{user}", 200, newProfile),
  own("delete the account", "DELETE", "/users/me", 204, ({ password }) => ({ password })),
];

/** An unmeasured request that fails behind a stalled primary, to open the circuit breaker of an isolate. */
export const knock = (service, { boss }, headers) => post(service, "/auth/login", boss.user, headers);
