// Roles granted, removed and used concurrently: the answers match the stored rows, and a lost
// role is useless from the next request on. At this level, because only workerd, two isolates of the deployed
// Worker and one D1 behind them produce the interleavings. Administrators against each other: administrators-races.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asUser, me, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope } from "./support/envelope.mjs";
import { inParallel } from "./support/isolates.mjs";
import {
  answerOf,
  answersOf,
  createCourse,
  createDepartment,
  grantRole,
  made,
  member,
  removeRole,
  vouch,
} from "./support/roles.mjs";
import { twoIsolates } from "./support/scenes.mjs";

const MANY = 20;
/** The number of roles that one user can have in a university, and in total. */
const MOST_HERE = 20;
const MOST = 200;
/** More acts than happen during any removal, on any machine. */
const MOST_ACTS = 10_000;

let service;
let boss;
const { newUniversity } = twoIsolates((scene) => ({ service, boss } = scene));

const many = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const ofUniversity = (university) =>
  rows(service.db, "SELECT * FROM user_university_roles WHERE university_id = ?1 ORDER BY user_id", university);
const events = async (type, university) => {
  const sql = "SELECT user_id, actor_id FROM audit_events WHERE type = ?1 AND university_id = ?2 ORDER BY user_id";
  return rows(service.db, sql, type, university);
};

describe("a role that is removed while its holder acts", () => {
  const ROUNDS = 12;
  const CLIENTS = 4;

  for (const [otherRole, isStudent, refused] of [
    ["without another role", false, "404 NOT_FOUND"],
    ["with a student's role as well", true, "403 FORBIDDEN"],
  ]) {
    test(`is useless from the next request on, to a holder ${otherRole}`, async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        await roundOf(round, isStudent, refused);
      }
    });
  }

  /** The holder acts with several clients, until each is refused; the role is removed after this many acts. */
  async function roundOf(round, isStudent, refused) {
    const university = await newUniversity();
    await member(service, boss, university, "UNIVERSITY_ADMIN");
    const holder = await member(service, boss, university, "UNIVERSITY_ADMIN");
    if (isStudent) {
      await made(grantRole(service, boss, university, holder, "STUDENT"));
    }
    const people = await Promise.all(many(CLIENTS, () => member(service, boss, university, "STUDENT")));
    const done = { departments: [], roles: [], courses: [] };
    let acts = 0;
    let isRemoved = false;
    const remove = async () => {
      const removal = await removeRole(service, boss, university, holder.grant);
      // Whatever the answer: an act that begins from now on must be refused, or the test fails.
      isRemoved = true;
      assert.equal(removal.status, 204, removal.text);
    };
    const removals = [];
    /** One act: the id of its result, or nothing if it was refused. */
    const acting = async (kind, request) => {
      const beganTooLate = isRemoved;
      const { status, text, body } = await request;
      if (status !== 201) {
        // An act that overlaps the removal may have been allowed first, and refused by the guard of its write.
        const answer = answerOf({ status, body });
        assert.ok(answer === refused || (!beganTooLate && answer === "403 FORBIDDEN"), text);
        return undefined;
      }
      assert.ok(!beganTooLate, `obeyed after the removal was answered: ${text}`);
      acts += 1;
      assert.ok(acts < MOST_ACTS, "the removal was never answered");
      if (acts === 2 * round + 1) {
        removals.push(remove());
      }
      done[kind].push(body.id);
      return body.id;
    };
    const clients = people.map((person) => async (isolate) => {
      let isObeyed = true;
      while (isObeyed) {
        const department_id = await acting("departments", createDepartment(isolate, holder, university));
        isObeyed =
          department_id !== undefined &&
          (await acting("roles", grantRole(isolate, holder, university, person, "TA", department_id))) !== undefined &&
          (await acting("courses", createCourse(isolate, holder, university, { department_id }))) !== undefined;
      }
    });
    await inParallel(service, clients);
    await Promise.all(removals);
    await assertDone(done, { university, holder, isStudent });
  }

  /** The answers match the stored rows. */
  async function assertDone(done, { university, holder, isStudent }) {
    const ids = async (table, condition) => {
      const sql = `SELECT id FROM ${table} WHERE university_id = ?1 AND ${condition} ORDER BY id`;
      return (await rows(service.db, sql, university)).map(({ id }) => id);
    };
    const sorted = (list) => list.toSorted((one, other) => one - other);
    assert.deepEqual(await ids("departments", "TRUE"), sorted(done.departments));
    assert.deepEqual(await ids("courses", "department_id IS NOT NULL"), sorted(done.courses));
    assert.deepEqual(await ids("user_university_roles", "role = 'TA'"), sorted(done.roles));
    const byHolder = (await events("role_granted", university)).filter(({ actor_id }) => actor_id === holder.id);
    assert.equal(byHolder.length, done.roles.length);
    assert.deepEqual(await events("role_removed", university), [{ user_id: holder.id, actor_id: boss.id }]);
    const left = { university_id: university, department_id: null, role: "STUDENT" };
    assert.deepEqual((await me(service, holder.access)).body.roles, isStudent ? [left] : []);
  }
});

test("one role granted many times concurrently is granted once", async () => {
  const university = await newUniversity();
  const deputy = await member(service, boss, university, "UNIVERSITY_ADMIN");
  const person = await member(service, boss, university, "STUDENT");
  await vouch(service, boss, person);
  const { email } = person.user;
  const names = [{ user_id: person.id }, { email }, { email: ` ${email.toUpperCase()}` }];
  const answers = await inParallel(
    service,
    many(MANY, (index) => (isolate) => {
      const by = index % 2 ? boss : deputy;
      const value = { ...names[index % names.length], role: "INSTRUCTOR" };
      return asUser(isolate, by.access, "POST", `/universities/${university}/roles`, value);
    }),
  );
  assert.deepEqual(answersOf(answers), { 201: 1, "409 CONFLICT": MANY - 1 });
  const { body: granted } = answers.find(({ status }) => status === 201);
  const stored = (await ofUniversity(university)).filter(({ user_id, role }) => user_id === person.id && role !== "STUDENT");
  assert.deepEqual(stored.map(({ id, role }) => ({ id, role })), [{ id: granted.id, role: "INSTRUCTOR" }]);
  // The role of before, and this one.
  assert.equal((await events("role_granted", university)).filter(({ user_id }) => user_id === person.id).length, 2);
});

test("one role removed many times concurrently is removed once", async () => {
  const university = await newUniversity();
  const { id, grant } = await member(service, boss, university, "TA");
  const answers = await inParallel(
    service,
    many(MANY, () => (isolate) => removeRole(isolate, boss, university, grant)),
  );
  assert.deepEqual(answersOf(answers), { 204: 1, "404 NOT_FOUND": MANY - 1 });
  assert.deepEqual(await ofUniversity(university), []);
  assert.deepEqual(await events("role_removed", university), [{ user_id: id, actor_id: boss.id }]);
});

describe("no user gets more roles than", () => {
  const ROLES = ["STUDENT", "TA", "INSTRUCTOR"];

  /** This many places for roles in a new university: `[{university, role, department}]`. */
  async function newPlaces(count) {
    const university = await newUniversity();
    const departments = await inParallel(
      service,
      many(Math.ceil(count / ROLES.length), () => (isolate) => made(createDepartment(isolate, boss, university))),
    );
    const all = departments.flatMap(({ id }) => ROLES.map((role) => ({ university, role, department: id })));
    return all.slice(0, count);
  }

  const granting = (person, { university, role, department }) => (isolate) =>
    grantRole(isolate, boss, university, person, role, department);

  /** Grants all of these concurrently, this many beyond the limit; returns the granted ones and the others. */
  async function granted(person, places, most) {
    const answers = await inParallel(service, places.map((place) => granting(person, place)));
    assert.deepEqual(answersOf(answers), { 201: most, "409 CONFLICT": places.length - most });
    const refused = places.filter((_, index) => answers[index].status === 409);
    const conflicts = answers.filter(({ status }) => status === 409);
    conflicts.forEach(({ body }) => assert.match(body.error.message, /too many roles/i));
    assert.equal((await me(service, person.access)).body.roles.length, most);
    return { grants: answers.filter(({ status }) => status === 201).map(({ body }) => body), refused };
  }

  /** After one removal one more role can be granted, and no two. */
  async function assertOneMore(person, { grants: [{ id, university_id }], refused }) {
    assert.equal((await removeRole(service, boss, university_id, id)).status, 204);
    const again = await inParallel(service, refused.map((place) => granting(person, place)));
    assert.deepEqual(answersOf(again), { 201: 1, "409 CONFLICT": refused.length - 1 });
  }

  test("a university may give", async () => {
    const [person, places] = [await signUp(service), await newPlaces(2 * MOST_HERE)];
    const outcome = await granted(person, places, MOST_HERE);
    const [{ university }] = places;
    assert.equal((await ofUniversity(university)).length, MOST_HERE);
    assert.equal((await events("role_granted", university)).length, MOST_HERE);
    await assertOneMore(person, outcome);
  });

  test("each of the user's requests can read", async () => {
    const person = await signUp(service);
    const places = (await Promise.all(many(MOST / MOST_HERE + 1, () => newPlaces(MOST_HERE)))).flat();
    assert.equal(places.length, MOST + MOST_HERE);
    await assertOneMore(person, await granted(person, places, MOST));
    assert.equal((await me(service, person.access)).body.roles.length, MOST);
  });
});

test("roles granted to a user that deletes the account are gone with it", async () => {
  for (let round = 0; round < 10; round += 1) {
    const university = await newUniversity();
    const person = await signUp(service);
    const departments = await Promise.all(many(8, () => made(createDepartment(service, boss, university))));
    const grants = departments.map(({ id }) => (isolate) => grantRole(isolate, boss, university, person, "TA", id));
    const { password } = person.user;
    const leaving = (isolate) => asUser(isolate, person.access, "DELETE", "/users/me", { password });
    const answers = await inParallel(service, grants.toSpliced(round % grants.length, 0, leaving));
    const [left] = answers.splice(round % grants.length, 1);
    assert.equal(left.status, 204);
    answers.forEach((answer) => assert.ok(["201", "404 NOT_FOUND"].includes(answerOf(answer)), answer.text));
    assert.deepEqual(await ofUniversity(university), []);
    assert.deepEqual(await rows(service.db, "SELECT id FROM users WHERE id = ?1", person.id), []);
    // The departments are free again: nothing refers to them.
    for (const { id } of departments) {
      await made(asUser(service, boss.access, "DELETE", `/universities/${university}/departments/${id}`));
    }
    assertEnvelope(await me(service, person.access), 401, "AUTH_TOKEN_INVALID");
  }
});
