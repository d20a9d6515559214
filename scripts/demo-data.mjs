// The demo data: its content, the queries that find it in a database, and the statements that insert it. It is
// identified by exact slugs and addresses; all other rows are left alone.
import { pbkdf2Sync, randomBytes } from "node:crypto";

import { quoted } from "./database.mjs";

export const PASSWORD = "correct horse battery staple";
const ROUNDS = 600_000;

export const UNIVERSITIES = [
  { slug: "demo-north", name: "University of the North", departments: ["Physics", "History"] },
  { slug: "demo-south", name: "University of the South", departments: ["Biology", "Law"] },
];
export const PEOPLE = [
  { email: "platform@demo.example", name: "Pat Platform", role: "PLATFORM_ADMIN" },
  { email: "north@demo.example", name: "Nora North", role: "UNIVERSITY_ADMIN", slug: "demo-north" },
  { email: "south@demo.example", name: "Sam South", role: "UNIVERSITY_ADMIN", slug: "demo-south" },
  { email: "physics@demo.example", name: "Phil Head", role: "DEPARTMENT_ADMIN", slug: "demo-north", place: "Physics" },
  { email: "instructor@demo.example", name: "Ines Teach", role: "INSTRUCTOR", slug: "demo-north", place: "Physics" },
  { email: "assistant@demo.example", name: "Tara Assistant", role: "TA", slug: "demo-north", place: "Physics" },
  { email: "student@demo.example", name: "Stefan Student", role: "STUDENT", slug: "demo-north" },
  { email: "student2@demo.example", name: "Sara Student", role: "STUDENT", slug: "demo-south" },
];
export const COURSES = [
  { code: "PHY101", title: "Mechanics", slug: "demo-north", place: "Physics", isPublic: 1 },
  { code: "PHY201", title: "Thermodynamics (draft)", slug: "demo-north", place: "Physics", isPublic: 0 },
  { code: "HIS101", title: "Ancient History", slug: "demo-north", place: "History", isPublic: 1 },
  { code: "BIO101", title: "Cells", slug: "demo-south", place: "Biology", isPublic: 1 },
];
/** The course of each student. */
const ENROLLMENTS = [
  { email: "student@demo.example", code: "PHY101", slug: "demo-north" },
  { email: "student2@demo.example", code: "BIO101", slug: "demo-south" },
];

/** Texts as a list of SQL literals. */
const list = (texts) => texts.map(quoted).join(", ");

/** Queries for the demo data that is present: universities, people and courses with their ids. */
export const SELECT_PRESENT = [
  `SELECT id, slug FROM universities WHERE slug IN (${list(UNIVERSITIES.map(({ slug }) => slug))}) ORDER BY id`,
  `SELECT id, email FROM users WHERE email IN (${list(PEOPLE.map(({ email }) => email))}) ORDER BY id`,
  `SELECT c.id, c.code, u.slug FROM courses AS c JOIN universities AS u ON u.id = c.university_id
     WHERE (u.slug, c.code) IN (VALUES ${COURSES.map(({ slug, code }) => `(${list([slug, code])})`)}) ORDER BY c.id`,
];

const university = (slug) => (slug ? `(SELECT id FROM universities WHERE slug = ${quoted(slug)})` : "NULL");
const department = (slug, name) =>
  name ? `(SELECT id FROM departments WHERE university_id = ${university(slug)} AND name = ${quoted(name)})` : "NULL";
const user = (email) => `(SELECT id FROM users WHERE email = ${quoted(email)})`;
const course = (slug, code) =>
  `(SELECT id FROM courses WHERE university_id = ${university(slug)} AND code = ${quoted(code)})`;

/** The statements that insert all demo data, in the order of their dependencies. */
export function insertions(now) {
  return [
    ...UNIVERSITIES.map(({ slug, name }) => {
      return `INSERT INTO universities (name, slug, created_at) VALUES (${quoted(name)}, ${quoted(slug)}, ${now})`;
    }),
    ...UNIVERSITIES.flatMap(({ slug, departments }) =>
      departments.map((name) => {
        return `INSERT INTO departments (university_id, name, created_at)
                VALUES (${university(slug)}, ${quoted(name)}, ${now})`;
      }),
    ),
    ...PEOPLE.map(({ email, name }) => {
      return `INSERT INTO users (email, password_hash, full_name, created_at, email_verified_at)
              VALUES (${quoted(email)}, ${quoted(passwordHash(PASSWORD))}, ${quoted(name)}, ${now}, ${now})`;
    }),
    ...PEOPLE.map(({ email, role, slug, place }) => {
      return `INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
              VALUES (${user(email)}, ${university(slug)}, ${quoted(role)}, ${department(slug, place)}, ${now})`;
    }),
    ...COURSES.map(({ code, title, slug, place, isPublic }) => {
      return `INSERT INTO courses (university_id, department_id, title, code, is_public, created_at)
              VALUES (${university(slug)}, ${department(slug, place)}, ${list([title, code])}, ${isPublic}, ${now})`;
    }),
    ...ENROLLMENTS.map(({ email, code, slug }) => {
      return `INSERT INTO enrollments (course_id, user_id, created_at)
              VALUES (${course(slug, code)}, ${user(email)}, ${now})`;
    }),
  ];
}

/** A PHC string, as the service stores it. */
function passwordHash(password) {
  const salt = randomBytes(16);
  const hash = pbkdf2Sync(password, salt, ROUNDS, 32, "sha256");
  const unpadded = (bytes) => bytes.toString("base64").replaceAll("=", "");
  return `$pbkdf2-sha256$i=${ROUNDS},l=32$${unpadded(salt)}$${unpadded(hash)}`;
}
