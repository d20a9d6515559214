// Administrators who act on each other, and roles that are given and taken, at the same moment: whatever the order, one
// administrator stays, and what was answered is what is stored. At this level, because it takes workerd, two isolates
// of the deployed Worker and one D1 behind them to make the interleavings; courses-races has those of other things.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";

import { login, me, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope } from "./support/envelope.mjs";
import {
  administrators,
  appoint,
  assertIntact,
  call,
  createCourse,
  createDepartment,
  createUniversity,
  grantRole,
  made,
  member,
  newName,
  platformAdmin,
  removeRole,
} from "./support/roles.mjs";
import { startService } from "./support/service.mjs";

const ROUNDS = 40;
const CROWD = 10;
/** Grants that one user may have. */
const MAX_GRANTS = 100;

let service;
let boss;
before(async () => (service = await startService({ isolates: 2 })));
beforeEach(async () => (boss = await platformAdmin(service)));
after(async () => {
  await assertIntact(service.db);
  await service.stop();
});

/** So many at once, each by the other isolate. */
const inParallel = (count, operation) =>
  Promise.all(Array.from({ length: count }, (_, index) => operation(service.isolates[index % 2], index)));
const newUniversity = async () => (await made(createUniversity(service, boss))).id;
const withStatus = (responses, status) => responses.filter((response) => response.status === status);
const answerOf = ({ status, body }) => (body?.error ? `${status} ${body.error.code}` : `${status}`);
const countOf = (responses) => Object.groupBy(responses.map(answerOf), (answer) => answer);

/** Exactly these answers, as `{"201": 1, "409 CONFLICT": 9}`. */
function assertAnswers(responses, expected) {
  const counts = Object.entries(countOf(responses)).map(([answer, { length }]) => [answer, length]);
  assert.deepEqual(Object.fromEntries(counts), expected);
}

describe("two administrators of a university who remove each other's role", () => {
  /** One round: two administrators, students as well or not, and what became of them. */
  async function round(_, index) {
    const isStudent = index % 2 === 1;
    const university = await newUniversity();
    const people = [];
    for (let count = 0; count < 2; count += 1) {
      const person = await member(service, boss, university, "UNIVERSITY_ADMIN");
      if (isStudent) {
        await made(grantRole(service, boss, university, person, "STUDENT"));
      }
      people.push(person);
    }
    const answers = await inParallel(2, (isolate, which) => {
      return removeRole(isolate, people[which], university, people[1 - which].grant);
    });
    assert.equal(withStatus(answers, 204).length, 1, answers.map(answerOf).join());
    const winner = answers.findIndex(({ status }) => status === 204);
    // Who is refused was an administrator when their rights were read, and is the last now; or was none any more, and
    // may then not even know of the university, unless another role lets them.
    const refusal = answerOf(answers[1 - winner]);
    assert.ok(["409 CONFLICT", isStudent ? "403 FORBIDDEN" : "404 NOT_FOUND"].includes(refusal), refusal);
    assert.deepEqual(await administrators(service.db, "UNIVERSITY_ADMIN", university), [people[winner].id]);
    const roles = `/universities/${university}/roles`;
    assert.equal((await call(service, people[winner], "GET", roles)).status, 200);
    assert.equal((await call(service, people[1 - winner], "GET", roles)).status, isStudent ? 403 : 404);
  }

  test("leave one of them, one pair after the other", async () => {
    for (let index = 0; index < ROUNDS; index += 1) {
      await round(service, index);
    }
  });

  test("leave one of them, many pairs at once", () => inParallel(ROUNDS, round));
});

// Every way to lose an administrator. `effect` is what an administrator of the platform is answered afterwards, to whom
// it was done; `isOwn`: they do it themselves.
const REMOVE = { effect: "removed", perform: ({ by, target, university }) => ["DELETE", roleOf(university, target)] };
const DISABLE = { effect: "disabled", perform: ({ target }) => ["PATCH", adminOf(target), { is_active: false }] };
const ERASE = { effect: "erased", perform: ({ target }) => ["DELETE", adminOf(target)] };
const LEAVE = { effect: "erased", perform: ({ by }) => ["DELETE", "/users/me", { password: by.user.password }] };
const roleOf = (university, { grant }) => `/universities/${university}/roles/${grant}`;
const adminOf = ({ id }) => `/admin/users/${id}`;
const own = (way) => ({ ...way, isOwn: true });
const WAYS = {
  "removes the other's role": REMOVE,
  "disables the other": DISABLE,
  "deletes the other": ERASE,
  "removes their own role": own(REMOVE),
  "disables themselves": own(DISABLE),
  "deletes themselves": own(LEAVE),
};

/** What may be answered to `loser`, when `winner` has succeeded. */
function refusals(winner, loser) {
  const path = loser.way.perform({ ...loser, university: 0 })[1];
  const byEffect = {
    removed: path.startsWith("/admin") ? "403 FORBIDDEN" : "404 NOT_FOUND",
    disabled: "403 AUTH_INACTIVE_USER",
    erased: "401 AUTH_TOKEN_INVALID",
  };
  const isHit = winner.target === loser.by;
  const whenHit = isHit ? [byEffect[winner.way.effect]] : [];
  if (winner.target !== loser.target) {
    return [...whenHit, "409 CONFLICT"];
  }
  // Both wanted the same: it is done. A password proves nothing of an account that has just been closed.
  return [...whenHit, loser.way.perform === LEAVE.perform ? "401 AUTH_INVALID_CREDENTIALS" : "404 NOT_FOUND"];
}

async function race(acts, { role, university }) {
  const answers = await Promise.all(
    acts.map((act, index) => call(service.isolates[index], act.by, ...act.way.perform({ ...act, university }))),
  );
  const told = answers.map(answerOf).join(" and ");
  const winners = acts.filter((_, index) => answers[index].status < 300);
  // Never both of them go: all who succeeded wanted the same one to go, and the other one is still there.
  assert.equal(new Set(winners.map(({ target }) => target)).size, 1, told);
  const people = new Set(acts.flatMap(({ target, other }) => [target.id, other.id]));
  people.delete(winners[0].target.id);
  assert.deepEqual(await administrators(service.db, role, university), [...people], told);
  for (const [index, act] of acts.entries()) {
    if (!winners.includes(act)) {
      assert.ok(refusals(winners[0], act).includes(answerOf(answers[index])), told);
    }
  }
}

describe("of two administrators one stays", () => {
  for (const [oneDoes, oneWay] of Object.entries(WAYS)) {
    test(`of the platform, when one ${oneDoes} while the other acts too`, async () => {
      const university = await newUniversity();
      for (const [otherDoes, otherWay] of [...Object.entries(WAYS), ...Object.entries(WAYS)]) {
        await rows(service.db, "DELETE FROM user_university_roles WHERE role = 'PLATFORM_ADMIN'");
        const [one, other] = [await platformAdmin(service), await platformAdmin(service)];
        const act = (way, by, peer) => ({ way, by, target: way.isOwn ? by : peer, other: way.isOwn ? peer : by });
        await race([act(oneWay, one, other), act(otherWay, other, one)], { role: "PLATFORM_ADMIN", path: university });
      }
    });
  }
});
