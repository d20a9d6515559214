// Every operation about grants and invitations, and its cost, for `role-operations.mjs`, whose helpers are arguments. The
// huge university has as many pending invitations as it can have, less some for the measurements.
import assert from "node:assert/strict";

import { newUser, register } from "../../e2e/support/client.mjs";
import { CROWDED, HUGE, MOST_PENDING, MOST_ROLES, PEOPLE } from "./fill-roles.mjs";
import { emailOf } from "./rows.mjs";

const ROLES = `/universities/${HUGE}/roles`;
const INVITATIONS = `/universities/${HUGE}/invitations`;
const ACCEPT = "/invitations/accept";
/** A user in the middle of all of them, without a role in the huge university. */
const OUTSIDER = 160_000;

let things = 0;
/** Another address on every call, of a user or of none. */
const address = () => ((things += 1) % 2 ? emailOf(OUTSIDER + things) : `invited-${things}@mail.example`);
const invitation = () => ({ email: address(), role: "TA" });

export const ofInvitations = ({ operation, ask, page, PAGE }) => {
  /** Invites on behalf of the maker, and notes the id and the token. */
  const invites = (path, value) => async (service, person, maker) => {
    const { status, text, body } = await ask("POST", path, value)(service, maker);
    assert.equal(status, 202, text);
    Object.assign(person, { made: body.invitation.id, token: body.invitation.token });
  };
  const forStranger = { email: emailOf(PEOPLE.stranger), role: "TA" };
  const accept = (service, person) => ask("POST", ACCEPT, { token: person.token })(service, person);
  const newcomer = newUser();
  const registers = (service, { token }) => register(service, { ...newcomer, invitation: token });
  const withdraw = ask("DELETE", `${INVITATIONS}/{made}`);
  return [
    operation("listInvitations", "rector", page(INVITATIONS), { reads: 2 * PAGE }),
    operation("listInvitations", "rector", page(INVITATIONS, "&cursor=150"), { kind: "late", reads: 2 * PAGE }),
    operation("listInvitations", "boss", page(INVITATIONS), { reads: 7 + PAGE }),
    // The roles twice, and the invitations as far as the last one of the page: most are not of these departments.
    operation("listInvitations", "dean", page(INVITATIONS), { reads: (roles) => 2 * roles + 112 }),
    operation("listInvitations", "dean", page(INVITATIONS, "&cursor=100"), { kind: "late", reads: (roles) => 2 * roles + 100 }),
    operation("listInvitations", "student", page(INVITATIONS), { status: 403, trips: 1, reads: 0 }),
    operation("listInvitations", "stranger", page(INVITATIONS), { status: 404, reads: 2 }),
    operation("grantRole", "boss", (service, person) =>
      ask("POST", ROLES, { user_id: person.others.manifold.id, role: "TA" })(service, person), {
      kind: "to a user with the most",
      status: 409,
      reads: MOST_ROLES + 20,
    }),
    // The pending ones are counted twice: whether one more is admitted, and why none was.
    operation("grantRole", "rector", ask("POST", ROLES, invitation), {
      kind: "an invitation",
      status: 202,
      reads: 2 * MOST_PENDING + 17,
    }),
    operation("grantRole", "rector", ask("POST", ROLES, forStranger), {
      kind: "the same invitation again",
      status: 202,
      reads: MOST_PENDING + 28,
      prepare: [["rector", invites(ROLES, forStranger)]],
    }),
    operation("withdrawInvitation", "rector", withdraw, {
      status: 204,
      reads: 14,
      prepare: [["rector", invites(ROLES, invitation)]],
    }),
    operation("withdrawInvitation", "rector", ask("DELETE", `${INVITATIONS}/${MOST_PENDING + 1}`), {
      kind: "of another university",
      status: 404,
      trips: 1,
      reads: 2,
    }),
    // The offers of the caller's address are read beside the caller.
    operation("acceptInvitation", "stranger", accept, {
      kind: "of another user",
      status: 403,
      trips: 2,
      reads: 6,
      prepare: [["rector", invites(ROLES, invitation)]],
    }),
    operation("acceptInvitation", "stranger", accept, {
      status: 201,
      trips: 2,
      reads: 49,
      prepare: [["boss", invites(`/universities/${CROWDED}/roles`, forStranger)]],
    }),
    operation("register", undefined, registers, {
      kind: "with an invitation",
      status: 201,
      // A trigger looks once whether the user was imported.
      reads: 73,
      prepare: [["boss", invites(`/universities/${CROWDED}/roles`, { email: newcomer.email, role: "TA" })]],
    }),
    operation("acceptInvitation", "stranger", accept, { kind: "once more", status: 401, reads: 10 }),
  ];
};
