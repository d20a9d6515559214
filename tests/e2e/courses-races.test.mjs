// Universities, departments, courses and enrolments added and removed concurrently: every name is given once,
// nothing refers to deleted rows, and the answers match the stored rows. At this level, because only workerd, two
// isolates of the deployed Worker and one D1 behind them produce the interleavings; courses-overtaken has those that
// seldom occur by chance.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asUser, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertFaults } from "./support/envelope.mjs";
import { inParallel } from "./support/isolates.mjs";
import {
  answerOf,
  answersOf,
  createCourse,
  createDepartment,
  createUniversity,
  enroll,
  grantRole,
  made,
  member,
  newName,
} from "./support/roles.mjs";
import { twoIsolates } from "./support/scenes.mjs";

const MANY = 20;
const ROUNDS = 20;

let service;
let boss;
const { newCourse, newDepartment, newUniversity } = twoIsolates((scene) => ({ service, boss } = scene));

const many = (count, make) => Array.from({ length: count }, (_, index) => make(index));
/** The list, beginning with another element: the first one has an advantage. */
const rotated = (list, by) => [...list.slice(by % list.length), ...list.slice(0, by % list.length)];
const remove = (isolate, path) => asUser(isolate, boss.access, "DELETE", path);
const change = (isolate, path, value) => asUser(isolate, boss.access, "PATCH", path, value);

describe("a name wanted by many concurrent requests is given once", () => {
  /** One of the answers is a success, all others say that the name is taken; returns the index of that one. */
  function assertOneGot(answers, success, message) {
    assert.deepEqual(answersOf(answers), { [success]: 1, "409 CONFLICT": answers.length - 1 });
    const refused = answers.filter(({ status }) => status === 409);
    refused.forEach(({ body }) => assert.match(body.error.message, message));
    return answers.findIndex(({ status }) => status === success);
  }

  test("the slug of a new university", async () => {
    const slug = newName("slug");
    const answers = await inParallel(service, many(MANY, () => (isolate) => createUniversity(isolate, boss, slug)));
    const { body } = answers[assertOneGot(answers, 201, /slug is already taken/i)];
    assert.deepEqual(await rows(service.db, "SELECT id FROM universities WHERE slug = ?1", slug), [{ id: body.id }]);
  });

  test("the slug of universities that are renamed", async () => {
    const slug = newName("slug");
    const ids = await inParallel(service, many(MANY, () => newUniversity));
    const answers = await inParallel(
      service,
      ids.map((id) => (isolate) => change(isolate, `/universities/${id}`, { slug })),
    );
    const id = ids[assertOneGot(answers, 200, /slug is already taken/i)];
    assert.deepEqual(await rows(service.db, "SELECT id FROM universities WHERE slug = ?1", slug), [{ id }]);
  });

  test("the name of a new department, in each university", async () => {
    const name = newName("department");
    for (const university of [await newUniversity(), await newUniversity()]) {
      const spellings = [name, ` ${name}`, `${name} `];
      const answers = await inParallel(
        service,
        many(MANY, (index) => (isolate) => createDepartment(isolate, boss, university, spellings[index % 3])),
      );
      const { body } = answers[assertOneGot(answers, 201, /has a department of that name/i)];
      const stored = await rows(service.db, "SELECT id, name FROM departments WHERE university_id = ?1", university);
      assert.deepEqual(stored, [{ id: body.id, name }]);
    }
  });

  test("the code of a new course, in each university", async () => {
    const code = newName("code");
    for (const university of [await newUniversity(), await newUniversity()]) {
      const answers = await inParallel(
        service,
        many(MANY, () => (isolate) => createCourse(isolate, boss, university, { code })),
      );
      const { body } = answers[assertOneGot(answers, 201, /has a course with that code/i)];
      const stored = await rows(service.db, "SELECT id, code FROM courses WHERE university_id = ?1", university);
      assert.deepEqual(stored, [{ id: body.id, code }]);
    }
  });

  test("the code of courses that are changed", async () => {
    const university = await newUniversity();
    const code = newName("code");
    const ids = await inParallel(service, many(MANY, () => () => newCourse(university)));
    const answers = await inParallel(
      service,
      ids.map((id) => (isolate) => change(isolate, `/courses/${id}`, { code })),
    );
    const id = ids[assertOneGot(answers, 200, /has a course with that code/i)];
    assert.deepEqual(await rows(service.db, "SELECT id FROM courses WHERE code = ?1", code), [{ id }]);
  });

  test("a place in a course: each student is enrolled once", async () => {
    const university = await newUniversity();
    const course = await newCourse(university);
    const students = await Promise.all(many(4, () => member(service, boss, university, "STUDENT")));
    const answers = await inParallel(
      service,
      many(MANY, (index) => (isolate) => enroll(isolate, students[index % students.length], course)),
    );
    for (const [place, { id }] of students.entries()) {
      const own = answers.filter((_, index) => index % students.length === place);
      const { body } = own[assertOneGot(own, 201, /already enrolled/i)];
      const sql = "SELECT id, course_id FROM enrollments WHERE user_id = ?1";
      assert.deepEqual(await rows(service.db, sql, id), [{ id: body.id, course_id: course }]);
    }
  });
});

describe("a deletion with concurrent additions", () => {
  test("of a department: it stays with the additions, or nothing was added, anywhere", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const university = await newUniversity();
      const department = await newDepartment(university);
      const [person, course] = [await signUp(service), await newCourse(university)];
      const operations = [
        ["delete", (isolate) => remove(isolate, `/universities/${university}/departments/${department}`)],
        ["grant", (isolate) => grantRole(isolate, boss, university, person, "DEPARTMENT_ADMIN", department)],
        ["grant", (isolate) => grantRole(isolate, boss, university, person, "STUDENT", department)],
        ["create", (isolate) => createCourse(isolate, boss, university, { department_id: department })],
        ["move", (isolate) => change(isolate, `/courses/${course}`, { department_id: department })],
      ];
      const order = rotated(operations, round);
      const answers = await inParallel(service, order.map(([, operation]) => operation));
      const deletion = answers[order.findIndex(([name]) => name === "delete")];
      const others = answers.filter((answer) => answer !== deletion);
      const sql = `
        SELECT department_id FROM courses WHERE university_id = ?1
        UNION ALL SELECT department_id FROM user_university_roles WHERE university_id = ?1`;
      const places = (await rows(service.db, sql, university)).map(({ department_id }) => department_id);
      if (deletion.status === 204) {
        others.forEach((answer) => assertFaults(answer, "department_id: value_error"));
        assert.deepEqual(places, [null], "the course that was there, and nothing else");
      } else {
        assert.equal(answerOf(deletion), "409 CONFLICT");
        others.forEach(({ status, text }) => assert.ok(status === 201 || status === 200, text));
        assert.deepEqual(places, [department, department, department, department]);
      }
    }
  });

  test("of a course: a student enrols in time, or does not find it", async () => {
    const university = await newUniversity();
    const students = await Promise.all(many(6, () => member(service, boss, university, "STUDENT")));
    for (let round = 0; round < ROUNDS; round += 1) {
      const course = await newCourse(university);
      const enrolling = students.map((student) => (isolate) => enroll(isolate, student, course));
      const place = round % (students.length + 1);
      const deletion = (isolate) => remove(isolate, `/courses/${course}`);
      const answers = await inParallel(service, enrolling.toSpliced(place, 0, deletion));
      const [{ status, text }] = answers.splice(place, 1);
      assert.equal(status, 204, text);
      answers.forEach((answer) => assert.ok(["201", "404 NOT_FOUND"].includes(answerOf(answer)), answer.text));
      const left = "SELECT id FROM enrollments WHERE course_id = ?1 UNION ALL SELECT id FROM courses WHERE id = ?1";
      assert.deepEqual(await rows(service.db, left, course), []);
    }
  });

  test("of a course's publication: a student enrols in time, or is refused", async () => {
    const university = await newUniversity();
    const students = await Promise.all(many(6, () => member(service, boss, university, "STUDENT")));
    for (let round = 0; round < ROUNDS; round += 1) {
      const course = await newCourse(university);
      const enrolling = students.map((student) => (isolate) => enroll(isolate, student, course));
      const place = round % (students.length + 1);
      const hiding = (isolate) => change(isolate, `/courses/${course}`, { is_public: false });
      const answers = await inParallel(service, enrolling.toSpliced(place, 0, hiding));
      const [{ status, text }] = answers.splice(place, 1);
      assert.equal(status, 200, text);
      answers.forEach((answer) => assert.ok(["201", "403 FORBIDDEN"].includes(answerOf(answer)), answer.text));
      const enrolled = students.filter((_, index) => answers[index].status === 201).map(({ id }) => id);
      const sql = "SELECT user_id FROM enrollments WHERE course_id = ?1 ORDER BY user_id";
      const stored = (await rows(service.db, sql, course)).map(({ user_id }) => user_id);
      assert.deepEqual(stored, enrolled.sort((one, other) => one - other));
    }
  });

  test("of a university: an addition is in time, or does not find it", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const university = await newUniversity();
      const people = await Promise.all(many(6, () => signUp(service)));
      const granting = people.map((person) => (isolate) => grantRole(isolate, boss, university, person, "STUDENT"));
      const place = round % (people.length + 1);
      const deletion = (isolate) => remove(isolate, `/universities/${university}`);
      const answers = await inParallel(service, granting.toSpliced(place, 0, deletion));
      const [{ status, text }] = answers.splice(place, 1);
      assert.equal(status, 204, text);
      answers.forEach((answer) => assert.ok(["201", "404 NOT_FOUND"].includes(answerOf(answer)), answer.text));
      const left = "SELECT id FROM user_university_roles WHERE university_id = ?1";
      assert.deepEqual(await rows(service.db, left, university), []);
    }
  });

  test("of the same thing, many times: one succeeds, the others do not find it", async () => {
    const university = await newUniversity();
    const student = await member(service, boss, university, "STUDENT");
    const { id } = await made(enroll(service, student, await newCourse(university)));
    for (const path of [
      `/enrollments/${id}`,
      `/courses/${await newCourse(university)}`,
      `/universities/${university}/departments/${await newDepartment(university)}`,
      `/universities/${await newUniversity()}`,
    ]) {
      const answers = await inParallel(service, many(MANY, () => (isolate) => remove(isolate, path)));
      assert.deepEqual(answersOf(answers), { 204: 1, "404 NOT_FOUND": MANY - 1 }, path);
    }
  });
});
