// Every operation of openapi.yaml, well and badly used, and its cost in the database: round trips, exactly, and
// rows read and written, at most.
// The bounds are measured values, as formulas: each row that is looked up by its key counts once, and once more if
// an index led to it. An operation about all sessions or events of its caller reads each of them a fixed number of
// times; nothing depends on the stored rows of others. So a statement whose plan becomes a scan reads a hundred
// thousand rows too many, and an additional statement shows as well.
import { login, logout, me, newUser, post, refresh, register, send } from "../../e2e/support/client.mjs";
import { rows } from "../../e2e/support/database.mjs";
import { decode, forge } from "../../e2e/support/tokens.mjs";
import { OF_PROVIDERS } from "./federation-operations.mjs";
import { MOST_SESSIONS, SLOTS } from "./fill.mjs";
import { ofOwnKeys, ofSigningKeys } from "./machine-operations.mjs";
import { OF_MAILS } from "./mail-operations.mjs";

export const OPERATOR_KEY = "growth-operator-71c0d4f2a9b84e35d6c7";
const OPERATOR = { Authorization: `Bearer ${OPERATOR_KEY}` };
const NEW_PASSWORD = "staple battery horse correct";
const WRONG_PASSWORD = "not the chosen one";
/**
 * A bound of rows read may be missed by this many: an engine may look once more at the end of a range. A scan reads
 * more. Rows written have no such slack.
 */
export const SLACK = 2;
/** Events on a page of an export, and one more. */
const PAGE = 251;
/** Rows of a table that one step of a clean-up or of an erasure looks at. */
export const STEP = 1000;

/** A request with a user's access token. */
function authorized(service, { access }, method, path, value) {
  const headers = { Authorization: `Bearer ${access}`, "Content-Type": "application/json" };
  return send(service, path, { method, headers, body: value && JSON.stringify(value) });
}

const endSession = (service, person, id) => authorized(service, person, "DELETE", `/auth/sessions/${id}`);
const changePassword = (service, person, current_password) =>
  authorized(service, person, "PUT", "/users/me/password", { current_password, new_password: NEW_PASSWORD });
const deleteAccount = (service, person, password) => authorized(service, person, "DELETE", "/users/me", { password });

/**
 * `reads` and `writes` get the caller's numbers of rows: `{sessions, events, throttles}`. A new entry of an index counts
 * as a row written.
 * `shared` is the part of `reads` for counters that addresses without an account share: empty in an empty database.
 * `prepare` runs before, and is not counted.
 */
export const OPERATIONS = [
  {
    id: "register",
    status: 201,
    // The mail that asks to verify the address is counted, and deleted behind the response.
    trips: 2,
    reads: () => 45,
    writes: () => 19,
    perform: (service) => register(service, newUser()),
  },
  {
    id: "register",
    case: "a taken address",
    status: 409,
    trips: 1,
    reads: () => 32,
    writes: () => 4,
    perform: (service, { user }) => register(service, { ...newUser(), email: user.email }),
  },
  {
    id: "login",
    status: 200,
    trips: 2,
    // Sessions are counted up to the limit, to find and end the oldest; its end has an event of its own.
    // Every statement about the throttle looks at the counters of the account, or at a part of them.
    reads: ({ sessions, throttles }) => 37 + SLOTS + 2 * sessions + 5 * (sessions === MOST_SESSIONS) + 4 * throttles,
    shared: SLOTS,
    writes: ({ sessions }) => (sessions < MOST_SESSIONS ? 4 : 7),
    perform: (service, { user }) => login(service, user),
  },
  {
    id: "login",
    case: "after a wrong password",
    status: 200,
    trips: 2,
    reads: ({ sessions, throttles }) => 39 + SLOTS + 2 * sessions + 5 * (sessions === MOST_SESSIONS) + 4 * throttles,
    // The failure has left one more row, too.
    shared: SLOTS + 1,
    writes: ({ sessions }) => (sessions < MOST_SESSIONS ? 5 : 8),
    prepare: (service, { user }) => login(service, { ...user, password: WRONG_PASSWORD }),
    perform: (service, { user }) => login(service, user),
  },
  {
    id: "login",
    case: "a wrong password",
    status: 401,
    trips: 2,
    reads: ({ throttles }) => 16 + SLOTS + 2 * throttles,
    shared: SLOTS,
    writes: () => 3,
    perform: (service, { user }) => login(service, { ...user, password: WRONG_PASSWORD }),
  },
  {
    id: "login",
    case: "an unknown address",
    status: 401,
    trips: 2,
    reads: () => 8 + 2 * SLOTS,
    shared: 2 * SLOTS,
    writes: () => 3,
    perform: (service) => login(service, newUser()),
  },
  {
    id: "refresh",
    status: 200,
    trips: 1,
    // Two statements, each of which looks up the session and its user by key, and the key ring's version. No index contains a column that changes,
    // and there is no event.
    reads: () => 5,
    writes: () => 1,
    perform: (service, person) => refresh(service, person.refresh),
  },
  {
    id: "refresh",
    case: "a token used before",
    status: 401,
    trips: 2,
    // A third of it looks for a notice, of which an unverified address gets none.
    reads: () => 21,
    writes: () => 4,
    prepare: (service, person) => refresh(service, person.refresh),
    perform: (service, person) => refresh(service, person.refresh),
  },
  {
    id: "refresh",
    case: "a token not on file",
    status: 401,
    trips: 2,
    reads: () => 11,
    writes: () => 2,
    perform: (service, { access }) => {
      return refresh(service, forge("refresh", { claims: { sub: decode(access).claims.sub } }));
    },
  },
  {
    id: "logout",
    status: 200,
    trips: 1,
    reads: () => 8,
    writes: () => 3,
    perform: (service, person) => logout(service, person.refresh),
  },
  {
    id: "logoutAll",
    status: 200,
    trips: 2,
    // Live sessions are counted for the answer and for the event, then found and deleted.
    reads: ({ sessions }) => 10 + 5 * sessions,
    writes: ({ sessions }) => 3 + sessions,
    perform: (service, person) => authorized(service, person, "POST", "/auth/logout-all"),
  },
  {
    id: "listSessions",
    status: 200,
    trips: 1,
    reads: ({ sessions }) => 5 + sessions,
    writes: () => 0,
    perform: (service, person) => authorized(service, person, "GET", "/auth/sessions"),
  },
  {
    id: "endSession",
    status: 204,
    trips: 2,
    reads: () => 12,
    writes: () => 3,
    perform: (service, person) => endSession(service, person, decode(person.access).claims.sid),
  },
  {
    id: "endSession",
    case: "an unknown session",
    status: 404,
    trips: 2,
    reads: () => 7,
    writes: () => 0,
    perform: (service, person) => endSession(service, person, 9_007_199_254_740_991),
  },
  {
    id: "getCurrentUser",
    status: 200,
    trips: 1,
    reads: () => 4,
    writes: () => 0,
    perform: (service, person) => me(service, person.access),
  },
  {
    id: "getCurrentUser",
    case: "signed out",
    status: 401,
    trips: 1,
    reads: () => 4,
    writes: () => 0,
    prepare: (service, person) => logout(service, person.refresh),
    perform: (service, person) => me(service, person.access),
  },
  {
    id: "updateProfile",
    status: 200,
    trips: 2,
    reads: () => 11,
    writes: () => 4,
    perform: (service, person) => authorized(service, person, "PATCH", "/users/me", { full_name: "Another Name" }),
  },
  {
    id: "changePassword",
    status: 200,
    // The notice is deleted behind the response.
    trips: 3,
    // A throttle of the user is read by the check of the password and by the guard of the change, and then deleted.
    reads: ({ sessions, throttles }) => 39 + 2 * sessions + 4 * throttles,
    // The notice has a link: the row of its proof, and two indexes.
    writes: ({ sessions, throttles }) => 10 + sessions + throttles,
    // Only a proven address gets a notice.
    prepare: (service, { user }) => rows(service.db, "UPDATE users SET email_verified_at = 1 WHERE email = ?1", user.email),
    perform: (service, person) => changePassword(service, person, person.user.password),
  },
  {
    id: "changePassword",
    case: "a wrong password",
    status: 401,
    trips: 2,
    reads: ({ throttles }) => 17 + 2 * throttles,
    writes: () => 3,
    perform: (service, person) => changePassword(service, person, WRONG_PASSWORD),
  },
  {
    id: "exportData",
    status: 200,
    // The second factors are read first: the account may need a step-up.
    trips: 2,
    reads: ({ sessions, events }) => 30 + sessions + Math.min(events, PAGE),
    writes: () => 3,
    perform: (service, person) => authorized(service, person, "GET", "/users/me/export"),
  },
  {
    id: "deleteAccount",
    status: 204,
    trips: 2,
    // The first step of the erasure, found and deleted: sessions, events, throttles; its event; twice the salt of the archive.
    reads: ({ sessions, events, throttles }) => 74 + 4 * sessions + 6 * Math.min(events, STEP) + 4 * throttles,
    writes: ({ sessions, events, throttles }) => 13 + sessions + Math.min(events, STEP) + throttles,
    perform: (service, person) => deleteAccount(service, person, person.user.password),
  },
  {
    id: "deleteAccount",
    case: "a wrong password",
    status: 401,
    trips: 2,
    reads: ({ throttles }) => 17 + 2 * throttles,
    writes: () => 3,
    perform: (service, person) => deleteAccount(service, person, WRONG_PASSWORD),
  },
  {
    id: "deleteAccountByPost",
    case: "a wrong password",
    status: 401,
    trips: 2,
    reads: ({ throttles }) => 17 + 2 * throttles,
    writes: () => 3,
    perform: (service, person) => authorized(service, person, "POST", "/users/me/delete", { password: WRONG_PASSWORD }),
  },
  ...ofOwnKeys(authorized),
  ...OF_MAILS,
  ...OF_PROVIDERS,
  {
    id: "getReadiness",
    status: 200,
    trips: 1,
    reads: () => 0,
    writes: () => 0,
    perform: (service) => send(service, "/health/ready"),
  },
  withoutDatabase("getHealth", (service) => send(service, "/health")),
  withoutDatabase("getCircuitBreaker", (service) => send(service, "/operator/circuit-breaker", { headers: OPERATOR })),
  {
    id: "setCircuitBreaker",
    status: 200,
    // The event of the command is written behind the response.
    trips: 1,
    reads: () => 4,
    writes: () => 3,
    async perform(service) {
      const before = await commands(service);
      const response = await post(service, "/operator/circuit-breaker", { state: "automatic" }, OPERATOR);
      while ((await commands(service)) === before);
      return response;
    },
  },
  ...ofSigningKeys(OPERATOR),
  withoutDatabase("getMetadata", (service) => send(service, "/.well-known/oauth-authorization-server")),
  withoutDatabase("getOpenapiJson", (service) => send(service, "/openapi.json")),
  withoutDatabase("getOpenapiYaml", (service) => send(service, "/openapi.yaml")),
];

/** The number of recorded commands. */
async function commands(service) {
  const sql = "SELECT count(*) AS number FROM audit_events WHERE id > (SELECT max(id) - 100 FROM audit_events) AND type = ?1";
  return (await rows(service.db, sql, "breaker_commanded"))[0].number;
}

function withoutDatabase(id, perform) {
  return { id, status: 200, trips: 0, reads: () => 0, writes: () => 0, perform };
}

/** The name of the operation in tables and messages. */
export const titleOf = (operation) => (operation.case ? `${operation.id}, ${operation.case}` : operation.id);
