// Users with roles, universities and their contents: made through the API, except for the first administrator of the
// platform, which only the database can make.
import assert from "node:assert/strict";

import { asUser, signUp } from "./client.mjs";
import { rows } from "./database.mjs";

let things = 0;

/** A new name on every call; good as a slug too. */
export function newName(kind) {
  things += 1;
  return `${kind}-${things}`;
}

/** The body of an answer that must be a success for the test to continue. */
export async function made(answer) {
  const { status, text, body } = await answer;
  assert.ok(status >= 200 && status < 300, `${status} ${text}`);
  return body;
}

/** An answer in short: `"204"`, or `"409 CONFLICT"`. */
export function answerOf({ status, body }) {
  return body?.error ? `${status} ${body.error.code}` : String(status);
}

/** The number of each answer: `{"201": 1, "409 CONFLICT": 9}`. */
export function answersOf(responses) {
  const groups = Object.groupBy(responses.map(answerOf), (answer) => answer);
  return Object.fromEntries(Object.entries(groups).map(([answer, { length }]) => [answer, length]));
}

/** Makes a user an administrator of the platform, directly in the database; returns the id of the grant. */
export async function appoint({ db }, { id }) {
  const sql = `
    INSERT INTO user_university_roles (user_id, role, created_at) VALUES (?1, 'PLATFORM_ADMIN', ?2) RETURNING id`;
  const [grant] = await rows(db, sql, id, Date.now());
  return grant.id;
}

/** A new user that administers the platform: `{user, id, access, refresh, grant}`. */
export async function platformAdmin(service) {
  const person = await signUp(service);
  return { ...person, grant: await appoint(service, person) };
}

/** `by` performs the operations below in the name of the test; each returns the whole answer. */
export const createUniversity = (service, by, slug = newName("university")) =>
  asUser(service, by.access, "POST", "/universities", { name: `The ${slug}`, slug });

export const createDepartment = (service, by, university, name = newName("department")) =>
  asUser(service, by.access, "POST", `/universities/${university}/departments`, { name });

export const createCourse = (service, by, university, { code = newName("course"), ...others } = {}) =>
  asUser(service, by.access, "POST", `/universities/${university}/courses`, {
    title: code,
    code,
    is_public: true,
    ...others,
  });

/** By id: whom `by` may name, unless an administrator of the platform, has a role in the university already. */
export const grantRole = (service, by, university, to, role, department_id) =>
  asUser(service, by.access, "POST", `/universities/${university}/roles`, { user_id: to.id, role, department_id });

/** To the owner of an address: an invitation, unless it is the proven address of a member. */
export const grantByAddress = (service, by, university, email, role, headers) =>
  asUser(service, by.access, "POST", `/universities/${university}/roles`, { email, role }, headers);

/** An administrator of the platform states that the address is this user's. */
export const vouch = (service, by, { id }) =>
  made(asUser(service, by.access, "PATCH", `/admin/users/${id}`, { email_verified: true }));

export const removeRole = (service, by, university, grant, headers) =>
  asUser(service, by.access, "DELETE", `/universities/${university}/roles/${grant}`, undefined, headers);

export const enroll = (service, person, course, headers) =>
  asUser(service, person.access, "POST", `/courses/${course}/enrollments`, undefined, headers);

/** A new user with one role: `{user, id, access, refresh, grant}`. */
export async function member(service, by, university, role, department) {
  const person = await signUp(service);
  const grant = await made(grantRole(service, by, university, person, role, department));
  return { ...person, grant: grant.id };
}

/** The stored and active administrators with this role. */
export async function administrators(db, role, university = null) {
  const sql = `
    SELECT u.id FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
    WHERE g.role = ?1 AND g.university_id IS ?2 AND u.is_active = 1 ORDER BY u.id`;
  return (await rows(db, sql, role, university)).map(({ id }) => id);
}

/** No reference dangles, and nothing is left of erased users. */
export async function assertIntact(db) {
  assert.deepEqual(await rows(db, "PRAGMA foreign_key_check"), []);
  assert.deepEqual(await rows(db, "PRAGMA quick_check"), [{ quick_check: "ok" }]);
  assert.deepEqual(await rows(db, "SELECT id FROM users WHERE erasure_cursor IS NOT NULL"), []);
}
