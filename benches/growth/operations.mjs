// The operations of the second floor in the growth benchmark. `items` are prepared, and not measured; `run` is one measured
// request, or the requests that a page sends at once. Each belongs to another user, spread over the tables.
import { totp } from "../../tests/e2e/support/totp.mjs";
import { emailOf, PRODUCT_TOKENS } from "../support/people.mjs";
import { ask, returned, signIn } from "./people.mjs";
import { USERS_OF_UNIVERSITY } from "./rows.mjs";

/** Lines of an imported batch, and batches of a round. */
const LINES = 50;
const BATCHES = 5;
/** Rows on a page of the console. */
const PAGE = 50;

let things = 0;
const newName = () => `newcomer-${(things += 1)}@mail.example`;
/** This many users of no other measurement, with odd numbers. */
const some = ({ nextUser }, count) => Array.from({ length: count }, nextUser);
const inTurn = async (items, make) => {
  const made = [];
  for (const item of items) {
    made.push(await make(item));
  }
  return made;
};
const read = (target, path, access) => ask(target, "GET", path, { access });
const lines = () => Array.from({ length: LINES }, () => JSON.stringify({ email: newName(), full_name: "Imported" })).join("\n");

export const OPERATIONS = [
  {
    title: "register",
    items: ({ people }) => people.apps.map(newName),
    run: (target, email) => ask(target, "POST", "/auth/register", { body: { email, password: "correct horse of the growth" }, status: 201 }),
  },
  {
    title: "reset by mail",
    // An address gets one mail a minute: none has got any.
    async items({ database, world, people }) {
      await database.prepare("DELETE FROM mail_counts WHERE key > '$'").run();
      return some(world, people.apps.length);
    },
    run: (target, user) => ask(target, "POST", "/auth/password/forgot", { body: { email: emailOf(user) }, status: 202 }),
  },
  {
    title: "app's code",
    async items({ target, database, people }) {
      const users = people.apps.map(({ user }) => user);
      // A code of the same step is valid again, since nothing else than the time is to be left out.
      const sql = "UPDATE totp_secrets SET used_step = NULL WHERE user_id IN (SELECT value FROM json_each(?1))";
      await database.prepare(sql).bind(JSON.stringify(users)).run();
      return inTurn(people.apps, async ({ user, secret }) => {
        const { error } = await signIn(target, user, 401);
        return { mfa_token: error.details.mfa_token, code: totp(secret) };
      });
    },
    run: (target, body) => ask(target, "POST", "/auth/mfa", { body }),
  },
  {
    title: "passkey",
    items: ({ target, people }) => inTurn(people.passkeys, async ({ authenticator }) => {
      const { flow, options } = await ask(target, "POST", "/auth/passkey/options", { body: {} });
      return { flow, credential: authenticator.get(options) };
    }),
    run: (target, body) => ask(target, "POST", "/auth/passkey", { body }),
  },
  {
    title: "provider",
    items: ({ target, people, providers }) => inTurn(people.keys, ({ person }) => returned(target, providers, person)),
    run: (target, body) => ask(target, "POST", "/auth/federated/exchange", { body }),
  },
  {
    title: "me, API key",
    items: ({ people }) => people.keys,
    run: (target, { key }) => read(target, "/users/me", key),
  },
  {
    title: "introspect",
    items: ({ people, world }) => some(world, people.keys.length).map((user) => [people.client, PRODUCT_TOKENS.access(user)]),
    run: (target, [basic, token]) => ask(target, "POST", "/oauth/introspect", { basic, form: { token } }),
  },
  {
    title: "account page",
    items: ({ people }) => people.keys,
    run: (target, { access }) => {
      const paths = ["/users/me", "/auth/sessions", "/users/me/mfa", "/users/me/passkeys", "/users/me/identities", "/users/me/api-keys"];
      return inTurn(paths, (path) => read(target, path, access));
    },
  },
  {
    title: "users, a page",
    items: ({ people, world }) => some(world, people.keys.length).map((cursor) => [people.admin, cursor]),
    run: (target, [admin, cursor]) => read(target, `/admin/users?limit=${PAGE}&cursor=${cursor}`, admin),
  },
  {
    title: "events of a user",
    items: ({ people, world }) => some(world, people.keys.length).map((user) => [people.admin, user]),
    run: (target, [admin, user]) => read(target, `/admin/audit-events?limit=${PAGE}&user_id=${user}`, admin),
  },
  {
    title: "invite",
    items: ({ people, world, users }) => some(world, people.keys.length).map((user) => {
      return [people.admin, 1 + (user % (users / USERS_OF_UNIVERSITY)), newName()];
    }),
    run: (target, [access, university, email]) => {
      return ask(target, "POST", `/universities/${university}/roles`, { body: { email, role: "TA" }, access, status: 202 });
    },
  },
  {
    title: "import of 50",
    items: ({ people }) => Array.from({ length: BATCHES }, () => [people.admin, lines()]),
    run: (target, [access, body]) => ask(target, "POST", "/admin/users/import", { body, access }),
  },
];
