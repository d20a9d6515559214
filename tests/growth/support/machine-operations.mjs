// Every operation about API keys and service accounts, and its cost: of a user's keys for `operations.mjs`, of service
// accounts for `role-operations.mjs`. Their helpers are arguments, so that no two files import each other.

const KEYS = "/users/me/api-keys";
const KEY = { name: "Reports", permissions: ["universities:view"] };

/** The id of the newest key of the caller. */
let newest;

/** The operations of a user on the user's own keys. `authorized` sends a request with the user's access token. */
export const ofOwnKeys = (authorized) => {
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
      reads: () => 4,
      writes: () => 0,
      perform: (service, person) => authorized(service, person, "GET", KEYS),
    },
    // The row, its entry in the index of the owner, and the event with its entries.
    { id: "createApiKey", status: 201, trips: 2, reads: () => 16, writes: () => 6, perform: create },
    {
      id: "withdrawApiKey",
      status: 204,
      trips: 2,
      reads: () => 12,
      writes: () => 6,
      prepare: create,
      perform: (service, person) => authorized(service, person, "DELETE", `${KEYS}/${newest}`),
    },
  ];
};

const ACCOUNTS = "/admin/service-accounts";
const ACCOUNT = { name: "Gateway", scopes: ["authz:check"] };

/** The operations of an administrator on service accounts and their keys. */
export const ofServiceAccounts = ({ operation, ask, get, page, makes }) => {
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
  ];
};
