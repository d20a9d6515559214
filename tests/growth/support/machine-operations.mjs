// Every operation about API keys, signing keys and service accounts, and its cost: of a user's keys for `operations.mjs`, of service
// accounts for `role-operations.mjs`. Their helpers are arguments, so that no two files import each other.
import assert from "node:assert/strict";

import { post, send } from "../../e2e/support/client.mjs";
import { rows } from "../../e2e/support/database.mjs";
import { MOST_ROLES } from "./fill-roles.mjs";

const KEYS = "/users/me/api-keys";
const KEY = { name: "Reports", permissions: ["universities:view"] };

/** The id of the newest key of the caller. */
let newest;

/** The operations of a user on the user's own keys. `authorized` sends a request with the user's access token. */
export const ofOwnKeys = (authorized) => {
  // Keys need a proven address.
  const prove = ({ db }, { user }) => rows(db, "UPDATE users SET email_verified_at = 1 WHERE email = ?1", user.email);
  const create = async (service, person) => {
    const response = await authorized(service, person, "POST", KEYS, KEY);
    newest = response.body.id;
    return response;
  };
  return [
    {
      id: "listApiKeys",
      status: 200,
      trips: 1,
      reads: () => 5,
      writes: () => 0,
      perform: (service, person) => authorized(service, person, "GET", KEYS),
    },
    // The row, its entry in the index of the owner, and the event with its entries.
    // With its notice, which is sent behind the response.
    { id: "createApiKey", status: 201, trips: 3, reads: () => 40, writes: () => 13, prepare: prove, perform: create },
    {
      id: "withdrawApiKey",
      status: 204,
      trips: 3,
      reads: () => 35,
      writes: () => 12,
      prepare: (service, person) => prove(service, person).then(() => create(service, person)),
      perform: (service, person) => authorized(service, person, "DELETE", `${KEYS}/${newest}`),
    },
  ];
};

/** The operations about signing keys, while access tokens are signed with `SECRET_KEY`: there is none. `operator` are headers. */
export const ofSigningKeys = (operator) => {
  const keys = "/operator/signing-keys";
  const keySet = (service) => send(service, "/.well-known/jwks.json");
  const rotate = (service) => post(service, keys, { action: "rotate" }, operator);
  return [
    { id: "listSigningKeys", status: 200, trips: 1, reads: () => 2, writes: () => 0, perform: (service) => send(service, keys, { headers: operator }) },
    { id: "changeSigningKeys", status: 409, trips: 1, reads: () => 2, writes: () => 0, perform: rotate },
    // A key set of the last minute is served again.
    { id: "getKeySet", status: 200, trips: 0, reads: () => 0, writes: () => 0, prepare: keySet, perform: keySet },
  ];
};

const ACCOUNTS = "/admin/service-accounts";
const ACCOUNT = { name: "Gateway", scopes: ["authz:check"] };

/** The operations of service accounts at the OAuth endpoints. The client has just got its key, which is used for the first time. */
const ofClients = ({ operation, ask, makes }) => {
  const makesKey = async (service, person, maker) => {
    const { status, text, body } = await ask("POST", `${ACCOUNTS}/{made}/keys`)(service, { ...maker, made: person.made });
    assert.equal(status, 201, text);
    const account = await ask("GET", `${ACCOUNTS}/{made}`)(service, { ...maker, made: person.made });
    Object.assign(person, { key: body.key, client_id: account.body.client_id });
  };
  const prepare = [["boss", makes(ACCOUNTS, { name: "Client", scopes: ["introspect"] })], ["boss", makesKey]];
  const client = (id, kind, trips, reads, form) => {
    const perform = (service, person) => {
      const Authorization = `Basic ${btoa(`${person.client_id}:${person.key}`)}`;
      const headers = { Authorization, "Content-Type": "application/x-www-form-urlencoded" };
      const body = String(new URLSearchParams(form(person)));
      return send(service, `/oauth/${id === "issueToken" ? "token" : id}`, { method: "POST", headers, body });
    };
    return operation(id, undefined, perform, { kind, trips, reads, prepare });
  };
  const introspect = (kind, reads, name) =>
    client("introspect", kind, 1, reads, ({ others }) => ({ token: others[name].access }));
  return [
    client("issueToken", undefined, 1, 10, () => ({ grant_type: "client_credentials" })),
    introspect("of a user with few roles", 22, "student"),
    introspect("of a user with the most roles", 10 + 2 * MOST_ROLES, "manifold"),
    client("revoke", "of a key", 2, 19, ({ key }) => ({ token: key })),
    client("revoke", "of no token", 1, 10, () => ({ token: "no token" })),
  ];
};

/** The operations of an administrator on service accounts and their keys, and of the accounts themselves. */
export const ofServiceAccounts = (helpers) => {
  const { operation, ask, get, page, makes } = helpers;
  const prepare = [["boss", makes(ACCOUNTS, ACCOUNT)]];
  const one = `${ACCOUNTS}/{made}`;
  return [
    operation("adminListServiceAccounts", "boss", page(ACCOUNTS), { reads: 15 }),
    operation("adminListServiceAccounts", "rector", page(ACCOUNTS), { kind: "refused", status: 403, reads: 1 }),
    operation("adminCreateServiceAccount", "boss", ask("POST", ACCOUNTS, ACCOUNT), { status: 201, reads: 20 }),
    operation("adminGetServiceAccount", "boss", ask("GET", one), { reads: 5, prepare }),
    operation("adminUpdateServiceAccount", "boss", ask("PATCH", one, { name: "Renamed" }), { reads: 25, prepare }),
    operation("adminListServiceKeys", "boss", get(`${ACCOUNTS}/1/keys`), { status: 404, reads: 5 }),
    operation("adminCreateServiceKey", "boss", ask("POST", `${one}/keys`), { status: 201, reads: 25, prepare }),
    operation("adminWithdrawServiceKey", "boss", ask("DELETE", `${one}/keys/1`), { status: 404, reads: 20, prepare }),
    operation("adminDeleteServiceAccount", "boss", ask("DELETE", one), { status: 204, reads: 30, prepare }),
    ...ofClients(helpers),
  ];
};
