// Every operation about universities, courses, roles and administration, and its cost in the database where there
// is very much of everything: round trips, exactly, and rows read, at most.
//
// The bounds are measured values, without the reads that every request of a caller makes: each row that is looked up by
// its key counts once, and once more if an index led to it. A list is read as far as its page.
import assert from "node:assert/strict";

import { asUser, me, send } from "../../e2e/support/client.mjs";
import {
  CROWDED,
  FIRST_DISABLED_USER,
  HAUNTED_USER,
  HUGE,
  HUGE_COURSE,
  HUGE_FIRST_DEPARTMENT,
  MANAGED_USER,
  MOST_DELETED_ROLES,
  MOST_ROLES,
  ORDINARY,
  ORDINARY_COURSE,
  ORDINARY_DEPARTMENT,
} from "./fill-roles.mjs";
import { ofImports } from "./import-operations.mjs";
import { ofInvitations } from "./invitation-operations.mjs";
import { ofServiceAccounts } from "./machine-operations.mjs";
import { emailOf } from "./rows.mjs";

/** Items of a page; one more is read, to know whether there is another page. */
const LIMIT = 10;
const PAGE = LIMIT + 1;
/** A user, a course, an event in the middle of all of them. */
const MIDDLE = 150_000;

/** The reads of a request for its caller: the user, the session, the key ring's version, and each of this many roles. */
export const ofCaller = (roles) => 4 + 2 * roles;

let things = 0;
/** On every call an unused name, and a role for another user without one in the huge university. */
const newName = () => `new-${(things += 1)}`;
const named = () => ({ name: newName(), slug: newName() });
const course = () => ({ title: newName(), code: newName(), is_public: true });
const role = (name) => () => ({ user_id: MIDDLE + (things += 1), role: name });

const UNIVERSITY = `/universities/${HUGE}`;
const ROLES = `${UNIVERSITY}/roles`;
const COURSES = `${UNIVERSITY}/courses`;
const DEPARTMENTS = `${UNIVERSITY}/departments`;
const COURSE = `/courses/${HUGE_COURSE}`;

/** One request, by whichever user performs it; `{made}` in the path is the id of the row made for it. */
const ask = (method, path, value) => (service, person) => {
  const body = typeof value === "function" ? value() : value;
  return asUser(service, person.access, method, path.replace("{made}", person.made), body);
};
const get = (path) => ask("GET", path);
const page = (path, query = "") => get(`${path}?limit=${LIMIT}${query}`);
const anonymous = (path) => (service) => send(service, path);
const makes = (path, value) => async (service, person, maker) => {
  const { status, text, body } = await ask("POST", path, value)(service, { ...maker, made: person.made });
  assert.equal(status, 201, text);
  person.made = body.id;
};

/** The places in which a caller has roles are found in an index; each is the beginning of one of the merged lists. */
const merged = (roles) => 3 * roles;

/** A read is one round trip, its caller's; a change is one more. */
const tripsOf = (id) => (/^(admin)?(get|list)/i.test(id) ? 1 : 2);

/**
 * An operation performed by `by`, or anonymously without it; `kind` names the case.
 * `prepare` runs before, and is not counted: `[user, act]`, one after another.
 */
/** A missing permission is recorded, in one more round trip and about five rows. */
const isRecorded = (status) => status === 403;

function operation(id, by, perform, { kind, status = 200, reads, prepare = [], ...more }) {
  const trips = more.trips ?? tripsOf(id) + Number(isRecorded(status));
  const rowsOfRefusal = 5 * isRecorded(status);
  return {
    title: [id, kind, by && `by ${by}`].filter(Boolean).join(", "),
    id,
    by,
    status,
    trips,
    reads: (roles) => (typeof reads === "function" ? reads(roles) : reads) + rowsOfRefusal,
    perform,
    async prepare(service, person) {
      for (const [maker, make] of prepare) {
        await make(service, person, person.others[maker]);
      }
    },
  };
}

const OF_PEOPLE = [
  operation("getCurrentUser", "stranger", (service, { access }) => me(service, access), { reads: 0 }),
  operation("getCurrentUser", "manifold", (service, { access }) => me(service, access), { reads: 0 }),
];

const OF_UNIVERSITIES = [
  ...["stranger", "student", "manifold"].map((by) =>
    operation("listUniversities", by, page("/universities"), { reads: (roles) => roles + 2 * PAGE }),
  ),
  operation("listUniversities", "boss", page("/universities", "&cursor=5000"), { kind: "late", reads: PAGE }),
  operation("getUniversity", "student", get(UNIVERSITY), { reads: 2 }),
  operation("getUniversity", "stranger", get(UNIVERSITY), { status: 404, reads: 1 }),
  operation("createUniversity", "boss", ask("POST", "/universities", named), { status: 201, reads: 10 }),
  operation("updateUniversity", "boss", ask("PATCH", UNIVERSITY, named), { reads: 9 }),
  operation("deleteUniversity", "boss", ask("DELETE", "/universities/{made}"), {
    status: 204,
    reads: 19,
    prepare: [["boss", makes("/universities", named)]],
  }),
  // No university is in use for free, and none is searched: the first course or department is the answer.
  operation("deleteUniversity", "boss", ask("DELETE", UNIVERSITY), { kind: "in use", status: 409, reads: 9 }),
  operation("deleteUniversity", "boss", ask("DELETE", `/universities/${CROWDED}`), {
    kind: "with roles only, more than a thousand",
    status: 409,
    reads: 2 * MOST_DELETED_ROLES + 9,
  }),
  operation("listDepartments", "student", page(DEPARTMENTS), { reads: 3 + PAGE }),
  operation("listDepartments", "stranger", page(DEPARTMENTS), { status: 404, reads: 2 }),
  operation("listDepartments", "manifold", page(DEPARTMENTS), { status: 404, reads: 3 }),
  operation("createDepartment", "rector", ask("POST", DEPARTMENTS, named), { status: 201, reads: 16 }),
  operation("deleteDepartment", "rector", ask("DELETE", `${DEPARTMENTS}/{made}`), {
    status: 204,
    reads: 12,
    prepare: [["rector", makes(DEPARTMENTS, named)]],
  }),
  operation("deleteDepartment", "rector", ask("DELETE", `${DEPARTMENTS}/${HUGE_FIRST_DEPARTMENT}`), {
    kind: "in use",
    status: 409,
    reads: 5,
  }),
];

const OF_ROLES = [
  // An administrator of the most departments: the grants of each are a list of their own, and these are merged.
  ...["", "&cursor=950000"].map((cursor) =>
    operation("listRoles", "dean", page(ROLES, cursor), {
      kind: cursor && "late",
      reads: (roles) => 2 * roles + merged(roles) + 4 * PAGE,
    }),
  ),
  operation("listRoles", "stranger", page(ROLES), { status: 404, reads: 4 }),
  operation("listRoles", "student", page(ROLES), { status: 403, trips: 1, reads: 8 }),
  operation("listRoles", "rector", page(ROLES), { reads: 22 + 2 * PAGE }),
  operation("listRoles", "rector", page(ROLES, "&cursor=950000"), { kind: "late", reads: 22 + 2 * PAGE }),
  operation("removeRole", "rector", ask("DELETE", `${ROLES}/{made}`), {
    status: 204,
    reads: 24,
    prepare: [["boss", makes(ROLES, role("TA"))]],
  }),
  operation("removeRole", "rector", ask("DELETE", `${ROLES}/{made}`), {
    kind: "an administrator's",
    status: 204,
    reads: 26,
    prepare: [["boss", makes(ROLES, role("UNIVERSITY_ADMIN"))]],
  }),
];

const OF_COURSES = [
  operation("listUniversityCourses", "student", page(COURSES), { reads: 4 + PAGE }),
  operation("listUniversityCourses", "stranger", page(COURSES), { status: 404, reads: 2 }),
  operation("listCourses", undefined, anonymous(`/courses?limit=${LIMIT}`), { reads: PAGE }),
  operation("listCourses", undefined, anonymous(`/courses?limit=${LIMIT}&cursor=${MIDDLE}`), {
    kind: "late",
    reads: PAGE,
  }),
  operation("listCourses", "stranger", page("/courses"), { reads: 5 * PAGE }),
  // The lists of the caller's universities are merged: each university is looked at once, and each place of the page.
  ...["student", "manifold", "collector"].flatMap((by) =>
    [["", undefined], [`&cursor=${MIDDLE}`, "late"]].map(([cursor, kind]) =>
      operation("listCourses", by, page("/courses", cursor), { kind, reads: (roles) => merged(roles) + 9 * PAGE }),
    ),
  ),
  operation("listCourses", "collector", get("/courses?limit=100"), {
    kind: "the longest page",
    reads: (roles) => merged(roles) + 9 * 101,
  }),
  operation("listCourses", "boss", page("/courses", `&cursor=${MIDDLE}`), { kind: "late", reads: PAGE }),
  operation("getCourse", undefined, anonymous(COURSE), { reads: 1 }),
  operation("getCourse", "student", get(COURSE), { reads: 2 }),
  operation("createCourse", "rector", ask("POST", COURSES, course), { status: 201, reads: 15 }),
  operation("updateCourse", "rector", ask("PATCH", COURSE, course), { reads: 11 }),
  operation("deleteCourse", "rector", ask("DELETE", "/courses/{made}"), {
    status: 204,
    reads: 22,
    prepare: [["rector", makes(COURSES, course)]],
  }),
  ...[["", undefined], ["&cursor=410000", "late"]].map(([cursor, kind]) =>
    operation("listEnrollments", "teacher", page(`${COURSE}/enrollments`, cursor), { kind, reads: 4 + 2 * PAGE }),
  ),
  ...[["stranger", 404], ["student", 403], ["dean", 403]].map(([by, status]) =>
    operation("listEnrollments", by, page(`${COURSE}/enrollments`), { status, reads: (roles) => 5 + 2 * roles }),
  ),
  operation("enroll", "student", ask("POST", "/courses/{made}/enrollments"), {
    status: 201,
    reads: 16,
    prepare: [["rector", makes(COURSES, course)]],
  }),
  operation("enroll", "student", ask("POST", `${COURSE}/enrollments`), { kind: "once more", status: 409, reads: 14 }),
  operation("getEnrollment", "student", get("/enrollments/1"), { reads: 3 }),
  operation("endEnrollment", "student", ask("DELETE", "/enrollments/{made}"), {
    status: 204,
    reads: 5,
    prepare: [["rector", makes(COURSES, course)], ["student", makes("/courses/{made}/enrollments")]],
  }),
  operation("endEnrollment", "rector", ask("DELETE", "/enrollments/{made}"), {
    kind: "of another user",
    status: 204,
    reads: 19,
    prepare: [["rector", makes(COURSES, course)], ["student", makes("/courses/{made}/enrollments")]],
  }),
];

const ORDINARY_IDS = { university_id: ORDINARY, department_id: ORDINARY_DEPARTMENT, course_id: ORDINARY_COURSE };
const QUESTIONS = [
  ["of nothing", 1, 0, "platform:administer", {}],
  ["of a university", 2, 1, "universities:view", { university_id: HUGE }],
  ["of a department", 2, 1, "courses:manage", { department_id: HUGE_FIRST_DEPARTMENT }],
  ["of a course", 2, 1, "courses:view", { course_id: HUGE_COURSE }],
  ["of an enrolment", 2, 2, "enrollments:view", { enrollment_id: 1 }],
  ["of three that agree", 2, 1, "courses:view", ORDINARY_IDS],
].flatMap(([kind, trips, reads, permission, ids]) => {
  const check = ask("POST", "/authz/check", { permission, ...ids });
  return ["student", "manifold"].map((by) => operation("checkPermission", by, check, { kind, trips, reads }));
});

/** A page whose filter no index serves looks at this many rows at most: for itself, twice more to find the last one. */
const EXAMINED = 1000;

const OF_USERS = [
  // A full page is read once more, to know that it is full.
  operation("adminListUsers", "boss", page("/admin/users"), { reads: 3 + 2 * PAGE }),
  ...[
    ["late", `&cursor=${MIDDLE}`, 3 + 2 * PAGE],
    ["by address", `&email=${emailOf(MIDDLE)}`, 2],
    ["disabled", "&is_active=false", 3 + 2 * PAGE],
    ["active", "&is_active=true", 3 + 2 * PAGE],
    ["active, before many disabled ones", `&is_active=true&cursor=${FIRST_DISABLED_USER - 5}`, 5 + 3 * EXAMINED],
    ["active, among the disabled ones", `&is_active=true&cursor=${FIRST_DISABLED_USER + 5000}`, 5 + 3 * EXAMINED],
  ].map(([kind, query, reads]) => operation("adminListUsers", "boss", page("/admin/users", query), { kind, reads })),
  ...["/admin/users", "/admin/users?is_active=true", `/admin/users/${MIDDLE}`, "/admin/users/1/sessions"].map((path) =>
    operation(path.endsWith("sessions") ? "adminListSessions" : path.includes("s/") ? "adminGetUser" : "adminListUsers",
      "rector", get(path), { kind: `refused, ${path}`, status: 403, reads: 1 }),
  ),
  operation("adminGetUser", "boss", get(`/admin/users/${MIDDLE}`), { reads: 14 }),
  operation("adminGetUser", "boss", (service, person) => get(`/admin/users/${person.others.manifold.id}`)(service, person), {
    kind: "with the most roles",
    reads: 4 + 2 * MOST_ROLES,
  }),
  operation("adminUpdateUser", "boss", ask("PATCH", "/admin/users/100", { full_name: "Another" }), { reads: 22 }),
  operation("adminUpdateUser", "boss", ask("PATCH", "/admin/users/100", { is_active: false }), {
    kind: "disabling",
    reads: 24,
  }),
  operation("adminListSessions", "boss", get("/admin/users/1/sessions"), { reads: 4 }),
  operation("adminEndSessions", "boss", ask("POST", "/admin/users/101/logout"), { reads: 13 }),
  operation("adminUnlockUser", "boss", ask("POST", "/admin/users/101/unlock"), { reads: 14 }),
  operation("adminResetFactors", "boss", ask("DELETE", "/admin/users/101/mfa"), { kind: "of none", status: 404, reads: 34 }),
  operation("adminResetPassword", "boss", ask("POST", "/admin/users/101/password-reset"), { status: 201, reads: 24 }),
  // The user's rows are looked for in every table, throttles included, and each of them deleted.
  operation("adminDeleteUser", "boss", ask("DELETE", "/admin/users/102"), { status: 204, reads: 112 }),
];

const OF_MANAGED_USER = `&user_id=${MANAGED_USER}`;
const OF_HAUNTED_USER = `&user_id=${HAUNTED_USER}`;

const OF_EVENTS = [
  ["all", "", PAGE],
  ["of a user", OF_HAUNTED_USER, PAGE],
  ["of a rare type", "&type=role_granted", PAGE],
  ["of a rare type, late", "&type=role_granted&cursor=5000", PAGE],
  ["of a rare type that there is none of", "&type=deleted", 1],
  // Four or five of ten events have these types; the others are read and skipped.
  ["of a frequent type", "&type=signed_in", 8 * PAGE],
  ["of a frequent type, late", "&type=sign_in_refused&cursor=5000", 6 * PAGE],
  ["of a frequent type that there is none of", "&type=session_ended", 5 + 3 * EXAMINED],
  ["of a user and a type", `${OF_MANAGED_USER}&type=role_granted`, 3 + 2 * PAGE],
  ["of a user, a rare type they have none of", `${OF_HAUNTED_USER}&type=role_granted`, 5 + 3 * EXAMINED],
  ["of a user, a frequent type they have none of", `${OF_HAUNTED_USER}&type=signed_in`, 5 + 3 * EXAMINED],
  ["of a user with few events, and a type", "&user_id=1&type=signed_in", 3 * PAGE],
].map(([kind, query, reads]) =>
  operation("adminListEvents", "boss", page("/admin/audit-events", query), { kind, reads: reads + 2 }), // 2 for the archive
).concat(
  ["", OF_HAUNTED_USER, "&type=signed_in", "&type=role_granted", `${OF_HAUNTED_USER}&type=signed_in`].map((query) =>
    operation("adminListEvents", "rector", page("/admin/audit-events", query), {
      kind: `refused${query}`,
      status: 403,
      reads: 1,
    }),
  ),
);

export const OPERATIONS = [
  ...OF_PEOPLE,
  ...OF_UNIVERSITIES,
  ...OF_ROLES,
  ...OF_COURSES,
  ...QUESTIONS,
  ...OF_USERS,
  ...OF_EVENTS,
  ...ofInvitations({ operation, ask, page, PAGE }),
  ...ofServiceAccounts({ operation, ask, get, page, makes }), // at the end: a search for a type reads the newest events
  ...ofImports({ operation, known: (number) => emailOf(MIDDLE + number) }),
];
