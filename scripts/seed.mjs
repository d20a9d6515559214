// Adds the demo data to a local database and prints example requests. Environment variables: STATE (the folder of the
// database) and PORT. A remote database cannot be named.
//
// The data is added atomically. If it is present already, nothing changes; if another row has one of its names, the
// script aborts.
import { execute, giveUp, named } from "./database.mjs";
import { COURSES, insertions, PASSWORD, PEOPLE, SELECT_PRESENT, UNIVERSITIES } from "./demo-data.mjs";

const { STATE: state, PORT, REMOTE } = process.env;
const database = { state };
const url = `http://127.0.0.1:${PORT}`;

if (REMOTE) {
  giveUp("The demo data is for local databases only, because its password is public: leave REMOTE out.");
}

/** Adds the data unless it is present. Returns the rows that are then present: universities, people, courses. */
function addDemoData() {
  const present = execute(SELECT_PRESENT.join(";\n"), database);
  const [universities, people] = present;
  if (universities.length === UNIVERSITIES.length && people.length > 0) {
    console.log(`The demo data is there already, in ${named(database)}.`);
    return present;
  }
  const taken = [...universities.map(({ slug }) => slug), ...people.map(({ email }) => email)];
  if (taken.length > 0) {
    giveUp(`Nothing was added to ${named(database)}: somebody else has ${taken.join(", ")}. Try STATE=another-folder.`);
  }
  const results = execute([...insertions(Date.now()), ...SELECT_PRESENT].join(";\n"), database);
  const counts = `${UNIVERSITIES.length} universities, ${PEOPLE.length} users, ${COURSES.length} courses`;
  console.log(`Added ${counts} to ${named(database)}.`);
  return results.slice(-SELECT_PRESENT.length);
}

const [universities, people, courses] = addDemoData();

const row = (id, name, text) => `  ${String(id).padStart(4)}  ${name.padEnd(24)} ${text}`;
const universityRow = ({ id, slug }) => row(id, slug, UNIVERSITIES.find((one) => one.slug === slug).name);
const courseRow = ({ id, code, slug }) => row(id, code, `${COURSES.find((one) => one.code === code).title}, ${slug}`);

function personRow({ id, email }) {
  const { name, role, slug = "everywhere", place } = PEOPLE.find((person) => person.email === email);
  return row(id, email, `${role} ${place ? `of ${place}, ` : ""}${slug} (${name})`);
}

/** A curl command, with the token of a demo user if one is given; none if that user no longer exists. */
function request(path, user, body) {
  if (user && !people.some(({ email }) => email === `${user}@demo.example`)) {
    return [];
  }
  const authorization = user ? ` -H "Authorization: Bearer $(sign_in ${user})"` : "";
  const data = body ? ` -H 'Content-Type: application/json' \\\n    -d '${JSON.stringify(body)}'` : "";
  return [`  curl -s ${url}${path}${authorization}${data}; echo`];
}

function requests() {
  const physics = courses.filter(({ code }) => code === "PHY101");
  return [
    ...request("/courses"),
    ...request("/courses", "student"),
    ...request("/universities", "platform"),
    ...physics.flatMap(({ id }) => {
      return request("/authz/check", "instructor", { permission: "enrollments:list", course_id: id });
    }),
    ...request("/admin/users", "platform"),
  ];
}

const login = `{\\"email\\":\\"$1@demo.example\\",\\"password\\":\\"${PASSWORD}\\"}`;
console.log(`
Universities:
${universities.map(universityRow).join("\n")}
Courses:
${courses.map(courseRow).join("\n")}
Users, each with the password "${PASSWORD}":
${people.map(personRow).join("\n")}

To try, while \`make dev\` runs:

  sign_in() { curl -s ${url}/auth/login -H 'Content-Type: application/json' \\
    -d "${login}" | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'; }
${requests().join("\n")}`);
