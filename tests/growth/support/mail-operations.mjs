// Every operation about mail, and its cost, for `operations.mjs`: the row of the outbox is written with the response, and
// deleted behind it, which is one more round trip. Each request for a mail comes from a network of its own, since one address
// and one network get few mails.
import assert from "node:assert/strict";

import { asUser, changePassword, from, newIp, newUser, post, signUp } from "../../e2e/support/client.mjs";
import { rows } from "../../e2e/support/database.mjs";
import { until } from "../../e2e/support/faults.mjs";
import { mailedLink, mails, reset, verify } from "../../e2e/support/mailbox.mjs";
import { MOST_SESSIONS, SLOTS } from "./fill.mjs";

const NEW_PASSWORD = "staple battery horse correct";
const FORGOT = "/auth/password/forgot";
const ASK = "/auth/email/verification";
const CODE = "/auth/email/code";

/** The flow of the last request for a mail, and the link and code of the mail. */
let proof;

const ask = (service, path, email, ip = newIp()) => post(service, path, { email }, from(ip));
const askForOwn = (service, { access }) => asUser(service, access, "POST", ASK, undefined, from(newIp()));
const wrongCode = () => (proof.code === "00000000" ? "00000001" : "00000000");

const asked = (page, request) => async (service, person) => {
  const { status, text, body } = await request(service, person);
  assert.equal(status, 202, text);
  proof = { flow: body.flow, ...(await mailedLink(service, person.user.email, page)) };
};
const asksToVerify = asked("verify", askForOwn);
const forgets = asked("reset", (service, { user }) => ask(service, FORGOT, user.email));
/** The mail has no link. The account is proven: another one would be emptied. */
const asksForCode = async (service, { user }) => {
  await rows(service.db, "UPDATE users SET email_verified_at = 1 WHERE email = ?1", user.email);
  const codes = async () => (await mails(service)).filter(({ to, subject }) => to === user.email && /sign-in code/.test(subject));
  const { length } = await codes();
  const { body } = await ask(service, CODE, user.email);
  const { text } = await until(`a code to ${user.email}`, async () => (await codes())[length]);
  proof = { flow: body.flow, code: text.match(/^\d{8}$/m)[0] };
};
const SOMEWHERE = "203.0.113.1";
const changeEmail = (service, { access }, new_email) =>
  asUser(service, access, "PUT", "/users/me/email", { new_email }, from(newIp()));
const verified = ({ db }, { user }) => rows(db, "UPDATE users SET email_verified_at = 1 WHERE email = ?1", user.email);

/** A pending change of a proven address. */
async function wantsToMove(service, person) {
  await verified(service, person);
  const { email } = newUser();
  const { status, text, body } = await changeEmail(service, person, email);
  assert.equal(status, 202, text);
  proof = { flow: body.flow, ...(await mailedLink(service, email, "verify")) };
}

/** A change that was made, and the link that undoes it. */
async function moves(service, person) {
  await wantsToMove(service, person);
  const { status, text } = await verify(service, { flow: proof.flow, code: proof.code });
  assert.equal(status, 200, text);
  proof = await mailedLink(service, person.user.email, "undo");
}

/** The link in the notice of a new password. */
async function isNotified(service, person) {
  await verified(service, person);
  const { status, text } = await changePassword(service, person.access, person.user.password, NEW_PASSWORD);
  assert.equal(status, 200, text);
  proof = await mailedLink(service, person.user.email, "not-me");
}

export const OF_MAILS = [
  // The caller, the request, and the end of the mail behind the response.
  { id: "requestVerification", status: 202, trips: 3, reads: () => 22, writes: () => 12, perform: askForOwn },
  {
    id: "requestVerification",
    case: "an unknown address",
    status: 202,
    trips: 2,
    reads: () => 9,
    writes: () => 12,
    perform: (service) => ask(service, ASK, newUser().email),
  },
  {
    id: "verifyEmail",
    case: "a link, with the access token",
    status: 200,
    trips: 2,
    reads: () => 28,
    writes: () => 6,
    prepare: asksToVerify,
    perform: (service, person) => asUser(service, person.access, "POST", "/auth/email/verify", { token: proof.token }),
  },
  {
    id: "verifyEmail",
    case: "a code",
    status: 200,
    trips: 2,
    reads: () => 20,
    writes: () => 6,
    prepare: asksToVerify,
    perform: (service) => verify(service, { flow: proof.flow, code: proof.code }),
  },
  {
    id: "verifyEmail",
    case: "a link, with the password",
    status: 200,
    trips: 2,
    // The counters of the account, and those that addresses without an account share, as at a sign-in.
    reads: ({ throttles }) => 22 + SLOTS + 2 * throttles,
    writes: () => 6,
    shared: SLOTS,
    prepare: asksToVerify,
    perform: (service, { user }) => verify(service, { token: proof.token, password: user.password }),
  },
  {
    id: "verifyEmail",
    case: "a link, with a wrong password",
    status: 401,
    trips: 2,
    reads: ({ throttles }) => 17 + SLOTS + 2 * throttles,
    shared: SLOTS,
    writes: () => 3,
    prepare: asksToVerify,
    perform: (service) => verify(service, { token: proof.token, password: "not the chosen one" }),
  },
  {
    id: "changeEmail",
    status: 202,
    trips: 3,
    reads: () => 22,
    writes: () => 12,
    perform: (service, person) => changeEmail(service, person, newUser().email),
  },
  {
    id: "changeEmail",
    case: "to a taken address",
    status: 202,
    trips: 3,
    reads: () => 23,
    writes: () => 12,
    prepare: async (service) => (proof = (await signUp(service)).user),
    perform: (service, person) => changeEmail(service, person, proof.email),
  },
  {
    id: "verifyEmail",
    case: "a new address",
    status: 200,
    trips: 3,
    reads: () => 54,
    writes: () => 16,
    prepare: wantsToMove,
    perform: (service) => verify(service, { flow: proof.flow, code: proof.code }),
  },
  {
    id: "undoEmailChange",
    status: 200,
    trips: 2,
    reads: ({ sessions, throttles }) => 28 + 2 * sessions + 5 * throttles,
    writes: ({ sessions, throttles }) => 5 + sessions + throttles,
    prepare: moves,
    perform: (service) => post(service, "/auth/email/undo", { token: proof.token }),
  },
  {
    id: "disownNotice",
    status: 200,
    trips: 2,
    reads: ({ throttles }) => 34 + 5 * throttles,
    writes: ({ throttles }) => 8 + throttles,
    // The change of the password has ended the other sessions.
    prepare: isNotified,
    perform: (service) => post(service, "/auth/email/not-me", { token: proof.token }),
  },
  {
    id: "requestReset",
    status: 202,
    trips: 2,
    // The four counts, the proof with its user, and the mail; rows of an address without an account cost the same writes.
    reads: () => 16,
    writes: () => 12,
    perform: (service, { user }) => ask(service, FORGOT, user.email),
  },
  {
    id: "requestReset",
    case: "an unknown address",
    status: 202,
    trips: 2,
    reads: () => 9,
    writes: () => 12,
    perform: (service) => ask(service, FORGOT, newUser().email),
  },
  {
    id: "requestReset",
    case: "the second within a minute",
    status: 202,
    trips: 1,
    reads: () => 8,
    // A refused request writes one row, so that it commits, too.
    writes: () => 1,
    prepare: asked("reset", (service, { user }) => ask(service, FORGOT, user.email, SOMEWHERE)),
    perform: (service, { user }) => ask(service, FORGOT, user.email, SOMEWHERE),
  },
  {
    id: "requestSignInCode",
    status: 202,
    trips: 2,
    reads: () => 16,
    writes: () => 12,
    perform: (service, { user }) => ask(service, CODE, user.email),
  },
  {
    id: "requestSignInCode",
    case: "an unknown address",
    status: 202,
    trips: 2,
    reads: () => 9,
    writes: () => 12,
    perform: (service) => ask(service, CODE, newUser().email),
  },
  {
    id: "signInByCode",
    status: 200,
    trips: 2,
    reads: ({ sessions, throttles }) => 60 + 3 * sessions + 5 * (sessions === MOST_SESSIONS) + 4 * throttles,
    writes: ({ sessions }) => (sessions < MOST_SESSIONS ? 6 : 9),
    prepare: asksForCode,
    perform: (service) => post(service, "/auth/email/sign-in", { flow: proof.flow, code: proof.code }, from(newIp())),
  },
  {
    id: "signInByCode",
    case: "a wrong code",
    status: 401,
    trips: 1,
    reads: () => 1,
    writes: () => 2,
    prepare: asksForCode,
    perform: (service) => post(service, "/auth/email/sign-in", { flow: proof.flow, code: wrongCode() }, from(newIp())),
  },
  {
    id: "resetPassword",
    status: 200,
    trips: 3,
    // A throttle is looked at twice and deleted; so are a session and the proofs, of the registration and of the reset.
    reads: ({ sessions, throttles }) => 50 + 2 * sessions + 5 * throttles,
    writes: ({ sessions, throttles }) => 14 + sessions + throttles,
    prepare: forgets,
    perform: (service) => reset(service, { token: proof.token, new_password: NEW_PASSWORD }),
  },
  {
    id: "resetPassword",
    case: "a wrong code",
    status: 401,
    trips: 1,
    reads: () => 1,
    writes: () => 2,
    prepare: forgets,
    perform: (service) => reset(service, { flow: proof.flow, code: wrongCode(), new_password: NEW_PASSWORD }),
  },
];
