// Demo data for a local database: two universities with departments, users in every role, courses and enrolments, and
// some requests to try. In the environment: STATE (the folder of the database) and PORT. It knows no way to a remote
// database.
import { pbkdf2Sync, randomBytes } from "node:crypto";

import { execute, quoted } from "./database.mjs";

const { STATE: state, PORT } = process.env;
const url = `http://127.0.0.1:${PORT}`;
const PASSWORD = "correct horse battery staple";
const ROUNDS = 600_000;
const now = Date.now();

const unpadded = (bytes) => bytes.toString("base64").replaceAll("=", "");

/** As the service stores a password: a PHC string. */
function hashed(password) {
  const salt = randomBytes(16);
  const hash = pbkdf2Sync(password, salt, ROUNDS, 32, "sha256");
  return `$pbkdf2-sha256$i=${ROUNDS},l=32$${unpadded(salt)}$${unpadded(hash)}`;
}

const UNIVERSITIES = [
  { slug: "demo-north", name: "University of the North", departments: ["Physics", "History"] },
  { slug: "demo-south", name: "University of the South", departments: ["Biology", "Law"] },
];
/** Address (before the @), name, role, university, department. */
const PEOPLE = [
  ["platform", "Pat Platform", "PLATFORM_ADMIN"],
  ["north", "Nora North", "UNIVERSITY_ADMIN", "demo-north"],
  ["south", "Sam South", "UNIVERSITY_ADMIN", "demo-south"],
  ["physics", "Phil Physics", "DEPARTMENT_ADMIN", "demo-north", "Physics"],
  ["instructor", "Ines Instructor", "INSTRUCTOR", "demo-north", "Physics"],
  ["assistant", "Tara Assistant", "TA", "demo-north", "Physics"],
  ["student", "Stefan Student", "STUDENT", "demo-north"],
  ["student2", "Sara Student", "STUDENT", "demo-south"],
];
/** Code, title, university, department, public. */
const COURSES = [
  ["PHY101", "Mechanics", "demo-north", "Physics", 1],
  ["PHY201", "Thermodynamics (draft)", "demo-north", "Physics", 0],
  ["HIS101", "Ancient History", "demo-north", "History", 1],
  ["BIO101", "Cells", "demo-south", "Biology", 1],
];

const university = (slug) => (slug ? `(SELECT id FROM universities WHERE slug = ${quoted(slug)})` : "NULL");
const department = (slug, name) =>
  name ? `(SELECT id FROM departments WHERE university_id = ${university(slug)} AND name = ${quoted(name)})` : "NULL";
const email = (name) => quoted(`${name}@demo.example`);
const user = (name) => `(SELECT id FROM users WHERE email = ${email(name)})`;
const course = (code) => `(SELECT id FROM courses WHERE code = ${quoted(code)} AND university_id = ${university("demo-north")})`;

function statements() {
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
    ...PEOPLE.map(([name, fullName]) => {
      return `INSERT INTO users (email, password_hash, full_name, created_at)
              VALUES (${email(name)}, ${quoted(hashed(PASSWORD))}, ${quoted(fullName)}, ${now})`;
    }),
    ...PEOPLE.map(([name, , role, slug, place]) => {
      return `INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
              VALUES (${user(name)}, ${university(slug)}, ${quoted(role)}, ${department(slug, place)}, ${now})`;
    }),
    ...COURSES.map(([code, title, slug, place, isPublic]) => {
      return `INSERT INTO courses (university_id, department_id, title, code, is_public, created_at)
              VALUES (${university(slug)}, ${department(slug, place)}, ${quoted(title)}, ${quoted(code)}, ${isPublic}, ${now})`;
    }),
    `INSERT INTO enrollments (course_id, user_id, created_at) VALUES (${course("PHY101")}, ${user("student")}, ${now})`,
  ];
}

const [[{ count }]] = execute("SELECT count(*) AS count FROM universities WHERE slug LIKE 'demo-%'", { state });
if (count > 0) {
  console.log("The demo data is there already.");
} else {
  execute(statements().join(";\n"), { state });
  console.log(`Added ${UNIVERSITIES.length} universities, ${PEOPLE.length} users, ${COURSES.length} courses.`);
}
console.log(`
Everybody's password is "${PASSWORD}". Addresses:
${PEOPLE.map(([name, fullName, role, slug = "everywhere", place]) => {
  return `  ${`${name}@demo.example`.padEnd(26)}${role} ${place ? `of ${place}, ` : ""}${slug} (${fullName})`;
}).join("\n")}

To try, while \`make dev\` runs:

  sign_in() { curl -s ${url}/auth/login -H 'Content-Type: application/json' \\
    -d "{\\"email\\":\\"$1@demo.example\\",\\"password\\":\\"${PASSWORD}\\"}" | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'; }
  curl -s ${url}/courses
  curl -s ${url}/courses -H "Authorization: Bearer $(sign_in student)"
  curl -s ${url}/universities -H "Authorization: Bearer $(sign_in platform)"
  curl -s ${url}/authz/check -H "Authorization: Bearer $(sign_in instructor)" -H 'Content-Type: application/json' \\
    -d '{"permission":"enrollments:list","course_id":1}'
  curl -s ${url}/admin/users -H "Authorization: Bearer $(sign_in platform)"`);
