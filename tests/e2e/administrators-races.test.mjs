// Administrators that remove each other, or themselves, concurrently: in every order one of them remains. At
// this level, because only workerd, two isolates of the deployed Worker and one D1 behind them produce the
// interleavings; roles-overtaken has those that seldom occur by chance.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asUser } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { inParallel } from "./support/isolates.mjs";
import {
  administrators,
  answerOf,
  appoint,
  grantRole,
  made,
  member,
  platformAdmin,
  removeRole,
} from "./support/roles.mjs";
import { assertConflict, twoIsolates } from "./support/scenes.mjs";
import { act, perform, refusals, WAYS } from "./support/ways.mjs";

const ROUNDS = 40;
const CROWD = 10;

let service;
let boss;
const { newUniversity } = twoIsolates((scene) => ({ service, boss } = scene));

const newAdministrators = async (university, count) => {
  const people = Array.from({ length: count }, () => member(service, boss, university, "UNIVERSITY_ADMIN"));
  return Promise.all(people);
};
const withStatus = (responses, status) => responses.filter((response) => response.status === status);

const assertLastOne = (response) => assertConflict(response, /last administrator/i);

describe("two administrators of a university that remove each other's role", () => {
  const look = async (person, { university }) =>
    answerOf(await asUser(service, person.access, "GET", `/universities/${university}/roles`));

  /** One round; in every second round both are students as well: `{university, winner, loser, refusal, isStudent}`. */
  async function round(index) {
    const isStudent = index % 2 === 1;
    const university = await newUniversity();
    const [one, other] = await newAdministrators(university, 2);
    for (const person of isStudent ? [one, other] : []) {
      await made(grantRole(service, boss, university, person, "STUDENT"));
    }
    const answers = await inParallel(service, [
      (isolate) => removeRole(isolate, one, university, other.grant),
      (isolate) => removeRole(isolate, other, university, one.grant),
    ]);
    assert.equal(withStatus(answers, 204).length, 1, answers.map(answerOf).join());
    const refusal = answerOf(answers.find(({ status }) => status !== 204));
    const [winner, loser] = answers[0].status === 204 ? [one, other] : [other, one];
    return { university, winner, loser, refusal, isStudent };
  }

  async function assertOneStays(outcome) {
    const { university, winner, loser, refusal, isStudent } = outcome;
    // The loser's rights were read before it lost its role: 403. Or they were read after: then it may not
    // even see the university, unless another role lets it.
    const withoutRole = isStudent ? "403 FORBIDDEN" : "404 NOT_FOUND";
    assert.ok(["403 FORBIDDEN", withoutRole].includes(refusal), refusal);
    assert.deepEqual(await administrators(service.db, "UNIVERSITY_ADMIN", university), [winner.id]);
    assert.deepEqual([await look(winner, outcome), await look(loser, outcome)], ["200", withoutRole]);
  }

  test("leave one of them, pair by pair", async () => {
    for (let index = 0; index < ROUNDS; index += 1) {
      await assertOneStays(await round(index));
    }
  });

  test("leave one of them, with all pairs concurrent", async () => {
    for (const outcome of await Promise.all(Array.from({ length: ROUNDS }, (_, index) => round(index)))) {
      await assertOneStays(outcome);
    }
  });
});

/** Two concurrent acts, each against one of the only two administrators: `people`. */
async function race(acts, people, role, university) {
  const answers = await inParallel(service, acts.map((act) => (isolate) => perform(isolate, act, university)));
  const told = answers.map(answerOf).join(" and ");
  const winners = acts.filter((_, index) => answers[index].status < 300);
  // Both may succeed only against the same administrator: never are both removed.
  const [gone, ...others] = new Set(winners.map(({ target }) => target));
  assert.ok(gone && others.length === 0, told);
  const left = people.filter((person) => person !== gone).map(({ id }) => id);
  const place = role === "PLATFORM_ADMIN" ? null : university;
  assert.deepEqual(await administrators(service.db, role, place), left, told);
  for (const [index, act] of acts.entries()) {
    const answer = answerOf(answers[index]);
    assert.ok(winners.includes(act) || refusals(winners[0], act).includes(answer), told);
  }
}

describe("of two administrators one remains", () => {
  for (const [does, way] of Object.entries(WAYS)) {
    test(`of the platform, when one ${does} and the other acts in any of these ways`, async (t) => {
      t.after(() => appoint(service, boss));
      const university = await newUniversity();
      for (const isSecond of [false, true]) {
        for (const otherWay of Object.values(WAYS)) {
          const [one, other] = await onlyAdministrators(2);
          const acts = [act(way, one, other), act(otherWay, other, one)];
          await race(isSecond ? acts.toReversed() : acts, [one, other], "PLATFORM_ADMIN", university);
        }
      }
    });
  }

  // The boss, a third user, performs the acts that only a platform administrator may. Disabling is excluded: a
  // stolen account must be stopped, even the last one.
  const ofUniversity = Object.entries(WAYS).filter(([, { effect }]) => effect !== "disabled");
  const doer = ({ needs }, person) => (needs === "platform" ? boss : person);
  for (const [does, way] of ofUniversity) {
    test(`of a university, when one ${does} and the other acts in any of these ways`, async () => {
      for (const isSecond of [false, true]) {
        for (const [, otherWay] of ofUniversity) {
          const university = await newUniversity();
          const [one, other] = await newAdministrators(university, 2);
          const acts = [act(way, doer(way, one), other), act(otherWay, doer(otherWay, other), one)];
          await race(isSecond ? acts.toReversed() : acts, [one, other], "UNIVERSITY_ADMIN", university);
        }
      }
    });
  }
});

/** Replaces all administrators of the platform with this many new ones. */
async function onlyAdministrators(count) {
  await rows(service.db, "DELETE FROM user_university_roles WHERE role = 'PLATFORM_ADMIN'");
  const people = [];
  while (people.length < count) {
    people.push(await platformAdmin(service));
  }
  return people;
}

describe("of many administrators one remains", () => {
  /** All but one get a 204, and that one the 409 of the last administrator; returns its id. */
  function assertOneRefused(answers, people) {
    assert.equal(withStatus(answers, 204).length, people.length - 1, answers.map(answerOf).join());
    const index = answers.findIndex(({ status }) => status !== 204);
    assertLastOne(answers[index]);
    return people[index].id;
  }

  test("of a university, when all remove their own role", async () => {
    const university = await newUniversity();
    const people = await newAdministrators(university, CROWD);
    const removals = people.map((person) => (isolate) => removeRole(isolate, person, university, person.grant));
    const last = assertOneRefused(await inParallel(service, removals), people);
    assert.deepEqual(await administrators(service.db, "UNIVERSITY_ADMIN", university), [last]);
  });

  test("of a university, when each removes the role of every other", async () => {
    const university = await newUniversity();
    const people = await newAdministrators(university, CROWD / 2);
    const pairs = people.flatMap((by) => people.filter((person) => person !== by).map((target) => ({ by, target })));
    const answers = await inParallel(
      service,
      pairs.map(({ by, target }) => (isolate) => removeRole(isolate, by, university, target.grant)),
    );
    const removed = pairs.filter((_, index) => answers[index].status === 204).map(({ target }) => target.id);
    const left = people.map(({ id }) => id).filter((id) => !removed.includes(id));
    assert.equal(new Set(removed).size, removed.length, "each is removed once");
    assert.deepEqual(await administrators(service.db, "UNIVERSITY_ADMIN", university), left);
    assert.equal(left.length, 1);
    // 404: the target or the caller was removed before. 403: the caller lost its role after its rights were read.
    const told = new Set(answers.map(answerOf));
    assert.deepEqual([...told.difference(new Set(["204", "403 FORBIDDEN", "404 NOT_FOUND"]))], []);
  });

  for (const [does, remove] of [
    ["remove their own role", (isolate, person, university) => removeRole(isolate, person, university, person.grant)],
    ["delete themselves", (isolate, by) => perform(isolate, act(WAYS["deletes themselves"], by))],
  ]) {
    test(`of the platform, when all ${does}`, async (t) => {
      t.after(() => appoint(service, boss));
      const university = await newUniversity();
      const people = await onlyAdministrators(CROWD);
      const answers = await inParallel(
        service,
        people.map((person) => (isolate) => remove(isolate, person, university)),
      );
      const last = assertOneRefused(answers, people);
      assert.deepEqual(await administrators(service.db, "PLATFORM_ADMIN"), [last]);
    });
  }

  test("of a university, when all delete themselves", async () => {
    const university = await newUniversity();
    const people = await newAdministrators(university, CROWD);
    const answers = await inParallel(
      service,
      people.map((by) => (isolate) => perform(isolate, act(WAYS["deletes themselves"], by))),
    );
    const last = assertOneRefused(answers, people);
    assert.deepEqual(await administrators(service.db, "UNIVERSITY_ADMIN", university), [last]);
    const sql = "SELECT user_id FROM audit_events WHERE type = 'deleted' ORDER BY id DESC LIMIT ?1";
    const gone = (await rows(service.db, sql, CROWD)).map(({ user_id }) => user_id);
    const others = people.map(({ id }) => id).filter((id) => id !== last);
    assert.deepEqual(gone.filter((id) => people.some((person) => person.id === id)).sort(), others.sort());
  });
});
