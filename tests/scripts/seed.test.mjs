// `make seed`: the data that it adds, once and beside existing data, and the truth of its output for
// the service on that database.
import assert from "node:assert/strict";
import { test } from "node:test";

import { newUser, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { assertIntact } from "../e2e/support/roles.mjs";
import { assertDone, assertGaveUp, contents, environment, make } from "./support/make.mjs";
import { migratedFolders, run, serviceOn } from "./support/make.mjs";

const migrated = migratedFolders();
const UNIVERSITIES = ["demo-north", "demo-south"];
const COURSES = ["BIO101", "HIS101", "PHY101", "PHY201"];
const NAMES = ["assistant", "instructor", "north", "physics", "platform", "south", "student", "student2"];
const PEOPLE = NAMES.map((name) => `${name}@demo.example`);
const ROLES = ["DEPARTMENT_ADMIN", "INSTRUCTOR", "PLATFORM_ADMIN", "STUDENT", "TA", "UNIVERSITY_ADMIN"];

const count = async (db, table) => (await rows(db, `SELECT count(*) AS count FROM ${table}`))[0].count;
const addUniversity = (db, slug) =>
  rows(db, "INSERT INTO universities (name, slug, created_at) VALUES (?1, ?1, 0) RETURNING id", slug);

/** A service with a database of its own, `seed()` on it, and the contents of the database. */
async function start(t) {
  const STATE = migrated(t);
  const service = await serviceOn(t, STATE);
  const { port: PORT } = new URL(service.origin);
  return { STATE, service, seed: () => make("seed", { STATE, PORT }) };
}

/** Existing data: a university with a slug much like ours, a course with a code of ours, a user. */
async function populate({ db, ...service }) {
  const [{ id }] = await addUniversity(db, "demo-east");
  const course = "INSERT INTO courses (university_id, title, code, is_public, created_at) VALUES (?1, ?2, ?2, 0, 0)";
  await rows(db, course, id, "PHY101");
  await rows(db, course, id, "EAST");
  return signUp({ db, ...service });
}

/** The output: `names`, each with its id, in the order of the lists; and the commands to try. */
function read(lines) {
  const begin = lines.indexOf("To try, while `make dev` runs:");
  assert.notEqual(begin, -1, lines.join("\n"));
  const matches = lines.slice(0, begin).map((line) => line.match(/^ +(\d+) {2}(\S+)/)).filter((match) => match);
  const ids = Object.fromEntries(matches.map(([, id, name]) => [name, Number(id)]));
  return { ids, script: lines.slice(begin + 1).join("\n") };
}

/** Every command of the script in turn: its output, as JSON. */
async function attempt(script, home) {
  const lines = script.replaceAll("\\\n", "").split("\n").map((line) => line.trim());
  const [definition, ...commands] = lines.filter((line) => line !== "");
  const answers = [];
  for (const command of commands) {
    const ended = await run("bash", ["-c", `${definition}\n${command}`], { env: environment(home) });
    answers.push(JSON.parse(assertDone(ended).join("\n")));
  }
  return answers;
}

test("it fills a database with users in every role, beside existing data", async (t) => {
  const { STATE, service, seed } = await start(t);
  const { db } = service;
  await populate(service);
  const both = "SELECT * FROM universities AS u JOIN courses AS c ON c.university_id = u.id";
  const others = await rows(db, `${both} ORDER BY c.id`);
  const lines = assertDone(await seed());
  assert.equal(lines[0], `Added 2 universities, 8 users, 4 courses to the local database in ${STATE}.`);

  const demo = "SELECT slug FROM universities WHERE slug <> 'demo-east' ORDER BY slug";
  assert.deepEqual((await rows(db, demo)).map(({ slug }) => slug), UNIVERSITIES);
  assert.equal(await count(db, "departments"), 4);
  assert.equal(await count(db, "enrollments"), 2);
  const roles = await rows(db, "SELECT DISTINCT role FROM user_university_roles ORDER BY role");
  assert.deepEqual(roles.map(({ role }) => role), ROLES);
  const people = "SELECT email FROM users WHERE email LIKE '%@demo.example'";
  assert.deepEqual((await rows(db, people)).map(({ email }) => email).sort(), [...PEOPLE].sort());
  assert.deepEqual(await rows(db, `${both} WHERE u.slug = 'demo-east' ORDER BY c.id`), others);
  await assertIntact(db);
});

test("a second run changes nothing and prints the same", async (t) => {
  const { STATE, service, seed } = await start(t);
  await populate(service);
  const [, ...first] = assertDone(await seed());
  const before = await contents(service.db);
  const [line, ...second] = assertDone(await seed());
  assert.equal(line, `The demo data is there already, in the local database in ${STATE}.`);
  assert.deepEqual(second, first);
  assert.deepEqual(await contents(service.db), before);
});

test("the printed ids are those in the database, and the requests work", async (t) => {
  const { STATE, service, seed } = await start(t);
  await populate(service);
  const { ids, script } = read(assertDone(await seed()));
  const sql = `
    SELECT slug AS name, id FROM universities WHERE slug <> 'demo-east'
    UNION ALL SELECT email, id FROM users WHERE email LIKE '%@demo.example'
    UNION ALL SELECT c.code, c.id FROM courses AS c JOIN universities AS u ON u.id = c.university_id
      WHERE u.slug <> 'demo-east'`;
  const stored = await rows(service.db, sql);
  assert.deepEqual(ids, Object.fromEntries(stored.map(({ name, id }) => [name, id])));
  assert.deepEqual(Object.keys(ids).sort(), [...UNIVERSITIES, ...COURSES, ...PEOPLE].sort());
  assert.notEqual(ids.PHY101, 1, "others were first");

  assert.ok(script.includes(`"course_id":${ids.PHY101}}`), script);
  const [anonymous, student, universities, allowed, users, ...more] = await attempt(script, STATE);
  assert.deepEqual(more, []);
  const codes = ({ items }) => items.map(({ code }) => code).sort();
  assert.deepEqual(codes(anonymous), ["BIO101", "HIS101", "PHY101"]);
  assert.ok(codes(student).includes("PHY101"));
  assert.equal(universities.items.length, 3);
  assert.equal(allowed.allowed, true);
  assert.ok(users.items.some(({ email }) => email === "student@demo.example"));
});

test("rows deleted in the meantime are neither printed nor added again", async (t) => {
  const { STATE, service, seed } = await start(t);
  assertDone(await seed());
  await service.db.batch([
    service.db.prepare("DELETE FROM enrollments"),
    service.db.prepare("DELETE FROM courses WHERE code = 'PHY101'"),
    service.db.prepare("UPDATE users SET email = 'moved@example.com' WHERE email = 'instructor@demo.example'"),
  ]);
  const before = await contents(service.db);
  const { ids, script } = read(assertDone(await seed()));
  assert.deepEqual(await contents(service.db), before);
  assert.deepEqual([ids.PHY101, ids["instructor@demo.example"]], [undefined, undefined]);
  const lists = (await attempt(script, STATE)).map(({ items }) => items);
  assert.equal(lists.length, 4, "without the question about the course");
  assert.ok(lists.every((items) => items.length > 0), script);
});

test("it aborts completely if one of its names is taken", async (t) => {
  const { STATE, service, seed } = await start(t);
  const gaveUp = async (...names) => {
    const before = await contents(service.db);
    const line = assertGaveUp(await seed());
    const taken = `somebody else has ${names.join(", ")}`;
    assert.equal(line, `Nothing was added to the local database in ${STATE}: ${taken}. Try STATE=another-folder.`);
    assert.deepEqual(await contents(service.db), before);
  };
  await signUp(service, { ...newUser(), email: "Physics@demo.example" });
  await gaveUp("physics@demo.example");
  await addUniversity(service.db, "demo-south");
  await gaveUp("demo-south", "physics@demo.example");
  await rows(service.db, "UPDATE users SET email = 'nobody@example.com'");
  await gaveUp("demo-south");
  await addUniversity(service.db, "demo-north");
  await gaveUp("demo-south", "demo-north");
});
