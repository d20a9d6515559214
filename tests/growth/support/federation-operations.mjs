// Every operation of a sign-in with a provider, and its cost, for `operations.mjs`. The provider is a server of this process that
// asserts the users that an operation needs. Each client comes from a network of its own, since one network gets few mails.
import assert from "node:assert/strict";

import { from, newIp, send } from "../../e2e/support/client.mjs";
import { rows } from "../../e2e/support/database.mjs";
import { until } from "../../e2e/support/faults.mjs";
import { arrive, bearer, CLIENT_ID, confirmByCode, exchange, federated } from "../../e2e/support/federation.mjs";
import { newPerson, presentIdToken, returned, start, started } from "../../e2e/support/federation.mjs";
import { mails } from "../../e2e/support/mailbox.mjs";
import { MockIssuer } from "../../e2e/support/providers/mock-issuer.mjs";
import { MOST_SESSIONS } from "./fill.mjs";

const ID = "acme";
const IDENTITIES = "/users/me/identities";

let mock;
/** The flow that is on its way, with the URL of its callback, the code of its return, or the code of its mail. */
let flight;
/** The identity that was added last. */
let identity;

/** Starts the provider of the operations: `{settings, stop}`. */
export async function startProvider() {
  mock = await MockIssuer.start("ES256");
  return { settings: federated({ [ID]: { issuer: mock.issuer } }), stop: () => mock.stop() };
}

const meets = (claims) => (mock.claims = newPerson(claims));
const prove = ({ db }, { user }) => rows(db, "UPDATE users SET email_verified_at = 1 WHERE email = ?1", user.email);

/** Gives the person an identity at the provider, which signs in next. */
async function owns({ db }, { user }) {
  const { sub } = meets();
  const sql = `
    INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
    SELECT abs(random()) >> 11, id, ?2, ?3, ?4, 1 FROM users WHERE email = ?1 RETURNING id`;
  [identity] = await rows(db, sql, user.email, ID, mock.issuer, sub);
}

/** Goes to the provider, in the name of the person where the purpose needs one. */
async function leaves(service, body, access) {
  const { flow, authorize_url: url } = await started(service, ID, body, bearer(access));
  flight = { flow, callback: await mock.authorize(url) };
}

/** Comes back with a code. */
async function comesBack(service, body, access) {
  await leaves(service, body, access);
  const { code } = returned(await arrive(service, flight.callback));
  assert.ok(code, "the provider was of no use");
  flight.code = code;
}

const use = (service, { access } = {}) => exchange(service, flight, { ...from(newIp()), ...bearer(access) });

/** A person that is a stranger at the provider, or one that has an identity, is back. */
const isNew = (service) => (meets(), comesBack(service));
const isKnown = async (service, person) => {
  await owns(service, person);
  await comesBack(service);
};
const links = async (service, person) => {
  await prove(service, person);
  meets();
  await comesBack(service, { link: true }, person.access);
};
/** The address at the provider is that of the account, which is proven. */
const isHolder = async (service, person) => {
  await prove(service, person);
  meets({ email: person.user.email });
  await comesBack(service);
};

/** A code is on its way to the holder of the address. */
async function waitsForMail(service, person) {
  await isHolder(service, person);
  const codes = async () => (await mails(service)).filter(({ to, text }) => to === person.user.email && /^\d{8}$/m.test(text));
  const { length } = await codes();
  const { status, body } = await use(service);
  assert.equal(status, 401);
  const { text } = await until(`a code to ${person.user.email}`, async () => (await codes())[length]);
  flight = { flow: body.error.details.flow, code: text.match(/^\d{8}$/m)[0] };
}

const confirmBy = (code) => (service) => confirmByCode(service, flight.flow, code(flight.code), from(newIp()));
const wrong = (code) => (code === "00000000" ? "00000001" : "00000000");

async function hasIdToken(service, person) {
  await owns(service, person);
  const { flow, nonce } = await started(service, ID, { native: true });
  flight = { flow, token: mock.idToken({ aud: CLIENT_ID, nonce }) };
}

const asOwner = (service, { access }, method, id) =>
  send(service, id === undefined ? IDENTITIES : `${IDENTITIES}/${id}`, { method, headers: bearer(access) });

/** The costs of a session, as of a sign-in with the password. `written` are the rows without those of an ended session. */
const opening = (written) => ({
  status: 200,
  trips: 2,
  reads: ({ sessions, throttles }) => 43 + 2 * sessions + 5 * (sessions === MOST_SESSIONS) + 4 * throttles,
  writes: ({ sessions }) => (sessions < MOST_SESSIONS ? written : written + 3),
});

export const OF_PROVIDERS = [
  { id: "startFederatedSignIn", status: 200, trips: 0, reads: () => 0, writes: () => 0, perform: (service) => start(service, ID) },
  {
    id: "startFederatedSignIn",
    case: "of a link",
    status: 200,
    trips: 1,
    reads: () => 6,
    writes: () => 0,
    prepare: prove,
    perform: (service, { access }) => start(service, ID, { link: true }, bearer(access)),
  },
  {
    id: "finishFederatedSignIn",
    status: 303,
    trips: 2,
    reads: () => 7,
    writes: () => 2,
    prepare: (service, person) => owns(service, person).then(() => leaves(service)),
    perform: (service) => arrive(service, flight.callback),
  },
  {
    id: "finishFederatedSignIn",
    case: "a second time",
    status: 303,
    trips: 1,
    reads: () => 3,
    writes: () => 0,
    prepare: isNew,
    perform: (service) => arrive(service, flight.callback),
  },
  // The session with its index and its event, and the flow.
  { id: "exchangeFederatedCode", ...opening(6), prepare: isKnown, perform: (service) => use(service) },
  {
    id: "exchangeFederatedCode",
    case: "a new account",
    status: 200,
    // With the mail that asks to verify the address. A trigger looks once whether the user was imported.
    trips: 3,
    reads: () => 51,
    writes: () => 23,
    prepare: isNew,
    perform: (service) => use(service),
  },
  {
    id: "exchangeFederatedCode",
    case: "an address that has an account",
    status: 401,
    trips: 3,
    reads: () => 19,
    writes: () => 13,
    prepare: isHolder,
    perform: (service) => use(service),
  },
  { id: "exchangeFederatedCode", case: "a link", status: 200, trips: 3, reads: () => 47, writes: () => 15, prepare: links, perform: use },
  {
    id: "exchangeFederatedCode",
    case: "a second time",
    status: 401,
    trips: 2,
    reads: ({ sessions, throttles }) => 32 + sessions + throttles,
    writes: () => 2,
    prepare: (service, person) => isKnown(service, person).then(() => use(service)),
    perform: (service) => use(service),
  },
  {
    id: "signInWithIdToken",
    // The flow has no row yet, and so none in the index.
    ...opening(7),
    prepare: hasIdToken,
    perform: (service) => presentIdToken(service, ID, flight.flow, flight.token, from(newIp())),
  },
  {
    id: "confirmFederatedSignIn",
    status: 200,
    trips: 3,
    // With the identity, its event, and the notice behind the response.
    reads: ({ sessions, throttles }) => 99 + 3 * sessions + 5 * (sessions === MOST_SESSIONS) + 4 * throttles,
    writes: ({ sessions }) => (sessions < MOST_SESSIONS ? 22 : 25),
    prepare: waitsForMail,
    perform: confirmBy((code) => code),
  },
  {
    id: "confirmFederatedSignIn",
    case: "a wrong code",
    status: 401,
    trips: 1,
    reads: () => 1,
    writes: () => 2,
    prepare: waitsForMail,
    perform: confirmBy(wrong),
  },
  {
    id: "listIdentities",
    status: 200,
    trips: 1,
    reads: () => 6,
    writes: () => 0,
    prepare: owns,
    perform: (service, person) => asOwner(service, person, "GET"),
  },
  {
    id: "unlinkIdentity",
    status: 204,
    trips: 3,
    // The other sessions end.
    reads: ({ sessions }) => 43 + 2 * sessions,
    writes: ({ sessions }) => 11 + sessions,
    prepare: (service, person) => prove(service, person).then(() => owns(service, person)),
    perform: (service, person) => asOwner(service, person, "DELETE", identity.id),
  },
  {
    id: "unlinkIdentity",
    case: "an unknown identity",
    status: 404,
    trips: 2,
    reads: ({ sessions }) => 20 + sessions,
    writes: () => 0,
    perform: (service, person) => asOwner(service, person, "DELETE", 4_711),
  },
];
