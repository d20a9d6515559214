// Fills a database as ten thousand universities would: a million roles of 200,000 people, departments, courses,
// enrolments and the events of administrators. Beside the many universities of ordinary size there is one that is
// huge, and beside ordinary users some with the maximum of something.
import { fillWith, HASH, numbers, shuffle } from "./rows.mjs";

const USERS = 200_000;
const UNIVERSITIES = 10_000;
const DEPARTMENTS_EACH = 5;
const COURSES_EACH = 20;
/** Each of these users has a role in this many universities. */
const MEMBERS = 180_000;
const ROLES_EACH = 5;
const ENROLLMENTS_EACH = 2;
const EVENTS = 300_000;
const INVITATIONS_EACH = 20;
const WEEK = 7 * 24 * 3_600_000;

/** The huge university. */
export const HUGE = UNIVERSITIES + 1;
const HUGE_DEPARTMENTS = 1000;
const HUGE_COURSES = 10_000;
const HUGE_ROLES = 1_000_000 - MEMBERS * ROLES_EACH;
/** A university without courses and departments, with more roles than a deletion takes along. */
export const CROWDED = HUGE + 1;
const CROWDED_ROLES = 2000;
/** The roles of a university that one deletion takes along at most. */
export const MOST_DELETED_ROLES = 1000;
/** The pending invitations that a university can have. */
export const MOST_PENDING = 200;
export const HUGE_FIRST_DEPARTMENT = UNIVERSITIES * DEPARTMENTS_EACH + 1;
/** A course of it with many enrolments. */
export const HUGE_COURSE = UNIVERSITIES * COURSES_EACH + 1;
const HUGE_ENROLLMENTS = 20_000;

/** An ordinary university, in the middle of the tables, and its contents. */
export const ORDINARY = UNIVERSITIES / 2;
export const ORDINARY_DEPARTMENT = ORDINARY * DEPARTMENTS_EACH;
export const ORDINARY_COURSE = ORDINARY * COURSES_EACH;

/** Half of all events are guesses at the first one's password, a tenth are acts on the second one. */
export const HAUNTED_USER = 10;
export const MANAGED_USER = 11;
/** The users disabled, one after another, when a flood of accounts was cleared away. */
export const FIRST_DISABLED_USER = 185_001;
const LAST_DISABLED_USER = 195_000;

/** The maximum of roles of a user, in total and in one university. */
export const MOST_ROLES = 200;
const MOST_HERE = 20;
/** Users with roles of their own, by kind; all of them are among the last users, which have no others. */
export const PEOPLE = {
  stranger: USERS,
  boss: USERS - 1,
  rector: USERS - 2,
  otherRector: USERS - 3,
  dean: USERS - 4,
  teacher: USERS - 5,
  manifold: USERS - 6,
  collector: USERS - 7,
  formerBoss: USERS - 8,
  /** Of ordinary universities, and of the huge one. */
  student: 1,
};

const departmentOf = (university, number) => `((${university} - 1) * ${DEPARTMENTS_EACH} + 1 + ${number})`;
/** Any number of different ones for a user. */
const universityOf = (user, number) => `(1 + (${shuffle(user)} + (${number}) * 1999) % ${UNIVERSITIES})`;
const courseOf = (user, number) => `(1 + (${shuffle(user)} + (${number}) * 7717) % ${UNIVERSITIES * COURSES_EACH})`;

const USER_ROWS = `
  INSERT INTO users (id, email, password_hash, full_name, created_at, is_active)
  ${numbers(1, USERS)}
  SELECT n, 'user-' || n || '@mail.example', '${HASH}', 'Person ' || n, n,
         n NOT BETWEEN ${FIRST_DISABLED_USER} AND ${LAST_DISABLED_USER}
  FROM numbers`;

const UNIVERSITY_ROWS = `
  INSERT INTO universities (id, name, slug, created_at)
  ${numbers(1, CROWDED)} SELECT n, 'University ' || n, 'university-' || n, n FROM numbers`;

const DEPARTMENT_ROWS = `
  INSERT INTO departments (id, university_id, name, created_at)
  ${numbers(1, HUGE_FIRST_DEPARTMENT + HUGE_DEPARTMENTS - 1)}
  SELECT n, min((n - 1) / ${DEPARTMENTS_EACH} + 1, ${HUGE}), 'Department ' || n, n FROM numbers`;

const COURSE_ROWS = `
  INSERT INTO courses (id, university_id, department_id, title, code, is_public, created_at)
  ${numbers(1, HUGE_COURSE + HUGE_COURSES - 1)}, places AS (
    SELECT n, min((n - 1) / ${COURSES_EACH} + 1, ${HUGE}) AS university FROM numbers
  )
  SELECT n, university, iif(n % 2, NULL, ${departmentOf("university", `n % ${DEPARTMENTS_EACH}`)}),
         'Course ' || n, 'C-' || n, n % 4 <> 0, n
  FROM places`;

const ROLE_ROWS = `
  INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
  ${numbers(0, MEMBERS * ROLES_EACH - 1)}, places AS (
    SELECT n, n / ${ROLES_EACH} + 1 AS user, n % ${ROLES_EACH} AS number FROM numbers
  )
  SELECT user, ${universityOf("user", "number")},
         CASE WHEN number < 3 THEN 'STUDENT' WHEN number = 3 THEN 'TA' WHEN user % 10 THEN 'INSTRUCTOR'
              WHEN user % 100 THEN 'DEPARTMENT_ADMIN' ELSE 'UNIVERSITY_ADMIN' END,
         CASE WHEN number = 4 AND user % 10 = 0 AND user % 100 <> 0 OR number = 3
              THEN ${departmentOf(universityOf("user", "number"), `user % ${DEPARTMENTS_EACH}`)} END, n
  FROM places`;

const HUGE_ROLE_ROWS = `
  INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
  ${numbers(1, HUGE_ROLES)}
  SELECT n, ${HUGE}, 'STUDENT', iif(n % 2, NULL, ${HUGE_FIRST_DEPARTMENT} + n % ${HUGE_DEPARTMENTS}), n FROM numbers`;

const ROLES_OF_FEW = `
  INSERT INTO user_university_roles (user_id, university_id, role, created_at) VALUES
    (${PEOPLE.boss}, NULL, 'PLATFORM_ADMIN', 1),
    (${PEOPLE.formerBoss}, NULL, 'PLATFORM_ADMIN', 1),
    (${PEOPLE.rector}, ${HUGE}, 'UNIVERSITY_ADMIN', 1),
    (${PEOPLE.otherRector}, ${HUGE}, 'UNIVERSITY_ADMIN', 1),
    (${PEOPLE.teacher}, ${HUGE}, 'INSTRUCTOR', 1)`;

const DEAN_ROWS = `
  INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
  ${numbers(0, MOST_HERE - 1)}
  SELECT ${PEOPLE.dean}, ${HUGE}, 'DEPARTMENT_ADMIN', ${HUGE_FIRST_DEPARTMENT} + n, n FROM numbers`;

/** The maximum: in each of ten universities each of four roles in each of five departments. */
const MANIFOLD_ROWS = `
  INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
  ${numbers(0, MOST_ROLES - 1)}, places AS (SELECT n, ${ORDINARY} + n / ${MOST_HERE} AS university FROM numbers)
  SELECT ${PEOPLE.manifold}, university,
         CASE n / ${DEPARTMENTS_EACH} % 4 WHEN 0 THEN 'STUDENT' WHEN 1 THEN 'TA' WHEN 2 THEN 'INSTRUCTOR'
              ELSE 'DEPARTMENT_ADMIN' END,
         ${departmentOf("university", `n % ${DEPARTMENTS_EACH}`)}, n
  FROM places`;

/** The maximum: a role in each of this many universities. */
const COLLECTOR_ROWS = `
  INSERT INTO user_university_roles (user_id, university_id, role, created_at)
  ${numbers(1, MOST_ROLES)} SELECT ${PEOPLE.collector}, n * 37, 'STUDENT', n FROM numbers`;

const CROWDED_ROLE_ROWS = `
  INSERT INTO user_university_roles (user_id, university_id, role, created_at)
  ${numbers(1, CROWDED_ROLES)} SELECT 10000 + n, ${CROWDED}, 'STUDENT', n FROM numbers`;

const ENROLLMENT_ROWS = `
  INSERT INTO enrollments (course_id, user_id, created_at)
  ${numbers(0, USERS * ENROLLMENTS_EACH - 1)}, places AS (
    SELECT n, n / ${ENROLLMENTS_EACH} + 1 AS user, n % ${ENROLLMENTS_EACH} AS number FROM numbers
  )
  SELECT ${courseOf("user", "number")}, user, n FROM places`;

const HUGE_ENROLLMENT_ROWS = `
  INSERT INTO enrollments (course_id, user_id, created_at)
  ${numbers(1, HUGE_ENROLLMENTS)} SELECT ${HUGE_COURSE}, n, n FROM numbers`;

const EVENT_ROWS = `
  INSERT INTO audit_events (id, created_at, type, reason, user_id, actor_id, university_id, request_id)
  ${numbers(1, EVENTS)}, kinds AS (
    SELECT n, CASE WHEN n % 2 THEN 'sign_in_refused' WHEN n % 10 = 0 THEN 'role_granted' ELSE 'signed_in' END AS type
    FROM numbers
  )
  SELECT n, ?1 - ${EVENTS} + n, type, CASE type WHEN 'sign_in_refused' THEN 'wrong_password' ELSE 'STUDENT' END,
         CASE type WHEN 'sign_in_refused' THEN ${HAUNTED_USER} WHEN 'role_granted' THEN ${MANAGED_USER}
              ELSE 1 + ${shuffle("n")} % ${MEMBERS} END,
         CASE WHEN type = 'role_granted' THEN iif(n % 20, ${PEOPLE.boss}, ${PEOPLE.formerBoss}) END, iif(type = 'role_granted', ${ORDINARY}, NULL),
         printf('%032x', n)
  FROM kinds`;

/** Each user is invited once, and each university has its share. An eighth have expired, and wait for the clean-up. */
const INVITATION_ROWS = `
  INSERT INTO invitations
      (id, university_id, email, role, department_id, invited_by, created_at, expires_at, sent_at, nonce)
  ${numbers(0, UNIVERSITIES * INVITATIONS_EACH - 1)}
  SELECT ${MOST_PENDING} + 1 + n, 1 + n % ${UNIVERSITIES}, 'user-' || (1 + n * 7919 % ${USERS}) || '@mail.example', 'TA', NULL,
         ${PEOPLE.boss}, ?1 - n, ?1 + ${WEEK} - n * 3500, ?1 - n, n
  FROM numbers`;

/** As many as are admitted, less some for tests: half of them narrowed to a department, some of these the dean's. */
const HUGE_INVITATION_ROWS = `
  INSERT INTO invitations
      (id, university_id, email, role, department_id, invited_by, created_at, expires_at, sent_at, nonce)
  ${numbers(1, MOST_PENDING - 10)}
  SELECT n, ${HUGE}, 'pending-' || n || '@mail.example', 'TA', iif(n % 2, NULL, ${HUGE_FIRST_DEPARTMENT} + n % 100),
         ${PEOPLE.rector}, ?1, ?1 + ${WEEK}, ?1, n
  FROM numbers`;

const ROWS = [
  USER_ROWS,
  UNIVERSITY_ROWS,
  DEPARTMENT_ROWS,
  COURSE_ROWS,
  ROLE_ROWS,
  HUGE_ROLE_ROWS,
  ROLES_OF_FEW,
  DEAN_ROWS,
  MANIFOLD_ROWS,
  COLLECTOR_ROWS,
  CROWDED_ROLE_ROWS,
  ENROLLMENT_ROWS,
  HUGE_ENROLLMENT_ROWS,
];

/** Fills the tables of a migrated database that is new and not in use. */
export function fillRoles(db) {
  fillWith(db, () => {
    ROWS.forEach((sql) => db.exec(sql));
    [EVENT_ROWS, INVITATION_ROWS, HUGE_INVITATION_ROWS].forEach((sql) => db.prepare(sql).run(Date.now()));
  });
}
