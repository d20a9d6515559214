// Universities, departments, courses and enrolments when one request changes rows that another has already
// read: each case is two requests, and one is held back until the other is answered. At this level, because a wrapper
// around D1 can do that to the Worker as it is deployed.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { asUser } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertFaults } from "./support/envelope.mjs";
import { enroll, made, member } from "./support/roles.mjs";
import { assertConflict, overtaking } from "./support/scenes.mjs";

let service;
let boss;
const { newCourse, newDepartment, newUniversity, overtaken } = overtaking((scene) => ({ service, boss } = scene));

const remove = (path, by = boss, headers) => asUser(service, by.access, "DELETE", path, undefined, headers);
const change = (path, value, headers) => asUser(service, boss.access, "PATCH", path, value, headers);
const create = (path, value, headers) => asUser(service, boss.access, "POST", path, value, headers);

describe("a university, a department or a course", () => {
  const courses = (university) => `/universities/${university}/courses`;
  const departments = (university) => `/universities/${university}/departments`;
  const COURSE = { title: "Logic", code: "LOG-1", is_public: true };

  test("is not found when deleted before its change", async () => {
    const university = await newUniversity();
    const course = await newCourse(university);
    const [renamed, closed] = [{ name: "Another" }, { is_public: false }];
    for (const [path, value] of [[`/courses/${course}`, closed], [`/universities/${university}`, renamed]]) {
      const response = await overtaken((headers) => change(path, value, headers), () => remove(path));
      assertEnvelope(response, 404, "NOT_FOUND");
    }
  });

  test("is not found when deleted before its deletion", async () => {
    const university = await newUniversity();
    const department = `${departments(university)}/${await newDepartment(university)}`;
    const course = `/courses/${await newCourse(university)}`;
    for (const path of [department, course, `/universities/${university}`]) {
      const deleting = (headers) => remove(path, boss, headers);
      assertEnvelope(await overtaken(deleting, deleting), 404, "NOT_FOUND");
    }
  });

  test("is not added to a deleted university", async () => {
    for (const [things, value] of [[departments, { name: "Physics" }], [courses, COURSE]]) {
      const university = await newUniversity();
      const adding = (headers) => create(things(university), value, headers);
      const response = await overtaken(adding, () => remove(`/universities/${university}`));
      assertEnvelope(response, 404, "NOT_FOUND");
    }
  });

  test("is not put into a deleted department", async () => {
    const university = await newUniversity();
    const course = await newCourse(university);
    for (const putting of [
      (department_id, headers) => create(courses(university), { ...COURSE, department_id }, headers),
      (department_id, headers) => change(`/courses/${course}`, { department_id }, headers),
    ]) {
      const department = await newDepartment(university);
      const response = await overtaken(
        (headers) => putting(department, headers),
        () => remove(`${departments(university)}/${department}`),
      );
      assertFaults(response, "department_id: value_error");
    }
    const kept = await rows(service.db, "SELECT id, department_id FROM courses WHERE university_id = ?1", university);
    assert.deepEqual(kept, [{ id: course, department_id: null }]);
  });

  test("is not changed by the administrator of a department that it has just left", async () => {
    const university = await newUniversity();
    const department_id = await newDepartment(university);
    const admin = await member(service, boss, university, "DEPARTMENT_ADMIN", department_id);
    for (const [method, value] of [["PATCH", { title: "Theirs" }], ["DELETE", undefined]]) {
      const course = await newCourse(university, { title: "Ours", department_id });
      const late = (headers) => asUser(service, admin.access, method, `/courses/${course}`, value, headers);
      const response = await overtaken(late, () => change(`/courses/${course}`, { department_id: null }));
      assertConflict(response, /moved meanwhile/i);
      const kept = await rows(service.db, "SELECT title, department_id FROM courses WHERE id = ?1", course);
      assert.deepEqual(kept, [{ title: "Ours", department_id: null }]);
      assertEnvelope(await late({}), 403, "FORBIDDEN");
    }
  });

  test("is not deleted once something was added to it", async () => {
    const university = await newUniversity();
    const department = await newDepartment(university);
    const ofDepartment = await overtaken(
      (headers) => remove(`${departments(university)}/${department}`, boss, headers),
      () => create(courses(university), { ...COURSE, department_id: department }),
    );
    assertConflict(ofDepartment, /still has courses or roles/i);
    const other = await newUniversity();
    const ofUniversity = await overtaken(
      (headers) => remove(`/universities/${other}`, boss, headers),
      () => create(departments(other), { name: "Physics" }),
    );
    assertConflict(ofUniversity, /still has departments/i);
  });
});

describe("an enrolment", () => {
  let university;
  let student;
  before(async () => {
    university = await newUniversity();
    student = await member(service, boss, university, "STUDENT");
  });
  const enrolling = (course, person = student) => (headers) => enroll(service, person, course, headers);

  test("in a deleted course is not found", async () => {
    const course = await newCourse(university);
    assertEnvelope(await overtaken(enrolling(course), () => remove(`/courses/${course}`)), 404, "NOT_FOUND");
  });

  test("in a course that is no longer public is refused as in any unpublished course", async () => {
    const [closed, course] = [await newCourse(university, { is_public: false }), await newCourse(university)];
    const usual = await enroll(service, student, closed);
    const response = await overtaken(enrolling(course), () => change(`/courses/${course}`, { is_public: false }));
    assertEnvelope(response, 403, "FORBIDDEN");
    assert.deepEqual(response.body.error, usual.body.error);
  });

  test("of an erased user is refused, and is no fault of the service", async () => {
    const course = await newCourse(university);
    const gone = (id) => remove(`/admin/users/${id}`);
    const disabled = (id) => change(`/admin/users/${id}`, { is_active: false });
    for (const go of [gone, disabled]) {
      const person = await member(service, boss, university, "STUDENT");
      const response = await overtaken(enrolling(course, person), () => go(person.id));
      // The user's sessions ended with the erasure, and so did this one's token.
      assertEnvelope(response, 401, "AUTH_TOKEN_REVOKED");
    }
    assert.deepEqual(await rows(service.db, "SELECT id FROM enrollments WHERE course_id = ?1", course), []);
  });

  test("that the same student has made concurrently is a conflict", async () => {
    const course = await newCourse(university);
    assertConflict(await overtaken(enrolling(course), enrolling(course)), /already enrolled/i);
  });

  test("that was made concurrently is deleted with its course", async () => {
    const course = await newCourse(university);
    const response = await overtaken((headers) => remove(`/courses/${course}`, boss, headers), enrolling(course));
    assert.equal(response.status, 204);
    assert.deepEqual(await rows(service.db, "SELECT id FROM enrollments WHERE course_id = ?1", course), []);
  });

  test("that has ended is not found for ending, and is read as it was when access was granted", async () => {
    for (const [method, assertAnswer] of [
      ["GET", ({ status, body }, id) => assert.deepEqual([status, body.id], [200, id])],
      ["DELETE", (response) => assertEnvelope(response, 404, "NOT_FOUND")],
    ]) {
      const { id } = await made(enroll(service, student, await newCourse(university)));
      const path = `/enrollments/${id}`;
      const act = (headers) => asUser(service, student.access, method, path, undefined, headers);
      assertAnswer(await overtaken(act, () => remove(path, student)), id);
      assertEnvelope(await act({}), 404, "NOT_FOUND");
    }
  });
});
