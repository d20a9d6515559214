// Administration that cannot be undone, with a sign-in that is not recent. At this level, because only here are guesses
// truly parallel, and because a DELETE has a body or none on its way through the runtime.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { asUser, send, signUp } from "./support/client.mjs";
import { rows, userRow } from "./support/database.mjs";
import { assertEnvelope, assertWrongPassword } from "./support/envelope.mjs";
import { HELD, holder } from "./support/held.mjs";
import { platformAdmin } from "./support/roles.mjs";
import { decode, sign } from "./support/tokens.mjs";
import { startWatched } from "./support/watched.mjs";

const MANY = 30;
const WRONG = "an entirely wrong passphrase";
const CHALLENGE = 'Bearer realm="edge-auth", error="insufficient_user_authentication", max_age=600';

let service;
let hold;
before(async () => {
  service = await startWatched({ ...HELD, settings: { ...HELD.settings, PASSWORD_ITERATIONS: "1" } });
  hold = holder(service);
});
after(() => service.end());

/** An administrator of the platform whose session is eleven minutes old: the test cannot wait for that long. */
async function tired() {
  const admin = await platformAdmin(service);
  const { header, claims } = decode(admin.access);
  return { ...admin, access: sign(header, { ...claims, auth_time: claims.auth_time - 660 }) };
}

const erase = (admin, { id }, body, headers) =>
  asUser(service, admin.access, "DELETE", `/admin/users/${id}`, body, headers);

const reasonsOf = async ({ id }) => {
  const sql = "SELECT reason FROM audit_events WHERE user_id = ?1 AND type = 'step_up_refused' ORDER BY id";
  return (await rows(service.db, sql, id)).map(({ reason }) => reason);
};

const failuresOf = async ({ id }) => (await userRow(service.db, id)).throttles.reauthentication.failures;

function assertStepUp(refused) {
  assert.deepEqual(assertEnvelope(refused, 401, "AUTH_STEP_UP_REQUIRED"), { max_age: 600, methods: ["password"] });
  assert.equal(refused.headers["www-authenticate"], CHALLENGE);
}

test("without a recent sign-in a user is erased with the right password only", async () => {
  const [admin, target] = [await tired(), await signUp(service)];
  for (const body of [undefined, {}, { password: null }]) {
    assertStepUp(await erase(admin, target, body));
  }
  const chunked = { "Content-Type": "application/json", "Transfer-Encoding": "chunked" };
  const headers = { Authorization: `Bearer ${admin.access}`, ...chunked };
  const options = { method: "DELETE", headers, body: ["{", "}"] };
  assertStepUp(await send(service, `/admin/users/${target.id}`, options));
  assertWrongPassword(await erase(admin, target, { password: WRONG }));
  assert.deepEqual([await reasonsOf(admin), await failuresOf(admin)], [["wrong_password"], 1]);
  assert.equal((await erase(admin, target, { password: admin.user.password })).status, 204);
  assert.equal(await failuresOf(admin), 0, "a success resets the count");
});

test("wrong passwords that are sent at once are all counted", async () => {
  const [admin, target] = [await tired(), await signUp(service)];
  const guess = (at) => erase(admin, target, { password: WRONG }, at(1));
  const answers = await hold.allAtOnce(...Array.from({ length: MANY }, () => guess));
  answers.forEach(assertWrongPassword);
  assert.equal(await failuresOf(admin), MANY);
});

test("the right password, read before six wrong ones were written and checked after them, erases no user", async () => {
  const [admin, target] = [await tired(), await signUp(service)];
  const [right] = await hold.stop((at) => erase(admin, target, { password: admin.user.password }, at(1)));
  for (let failure = 1; failure <= 6; failure += 1) {
    assertWrongPassword(await erase(admin, target, { password: WRONG }));
  }
  await hold.release();
  assertWrongPassword(await right);
  assert.deepEqual((await reasonsOf(admin)).sort(), ["overtaken", "wrong_password"]);
  assert.notEqual(await userRow(service.db, target.id), undefined);
});
