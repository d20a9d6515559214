// The rows of a session as the service writes them: the model for thousands of others.
//
// The benchmarks fill databases in SQL. To follow the schema without knowing it, they register one user on a fresh
// service and copy its rows. A value that equals the session's id is that id, a value near the time of the registration
// is a point in time, and any value without such a meaning is copied as it is.
import assert from "node:assert/strict";

import { register } from "../../tests/e2e/support/client.mjs";
import { rows } from "../../tests/e2e/support/database.mjs";
import { decode } from "../../tests/e2e/support/tokens.mjs";
import { JTI, PASSWORD, SESSION } from "./people.mjs";
import { productModules, startTarget } from "./targets.mjs";

/** Tables in which a registration leaves a row, in the order in which they refer to each other; views do not count. */
const TABLES = ["sessions", "refresh_tokens", "audit_events"];
/** The registered user has the next id, which thus differs from every small number. */
const USER_BEFORE = 7_777_777;
const YEAR_MS = 365 * 86_400_000;

/**
 * Learns from a service on a database of its own. `hash` is the stored hash of PASSWORD with the service's default
 * parameters; `inserts` are statements whose parameters are the number of users and the time.
 */
export async function learnModel() {
  const target = await startTarget(productModules());
  try {
    const database = await target.database();
    const before = "INSERT INTO users (id, email, password_hash, created_at) VALUES (?1, 'before@mail.example', '', 0)";
    await rows(database, before, USER_BEFORE);
    const { body } = await register(target, { email: "model@mail.example", password: PASSWORD });
    const [{ hash }] = await rows(database, "SELECT password_hash AS hash FROM users WHERE id = ?1", body.id);
    return { hash, inserts: await insertsOf(database, decode(body.refresh_token).claims) };
  } finally {
    await target.stop();
  }
}

async function insertsOf(database, { sub, sid, jti }) {
  const tables = await rows(database, "SELECT name FROM sqlite_master WHERE type = 'table'");
  const present = TABLES.filter((table) => tables.some(({ name }) => name === table));
  const found = [];
  for (const table of present) {
    const [row, ...more] = await rows(database, `SELECT * FROM ${table}`);
    assert.equal(more.length, 0, `a registration leaves more than one row in ${table}`);
    found.push(...(row === undefined ? [] : [{ table, row }]));
  }
  const facts = { user: Number(sub), session: Number(sid), jti, now: found[0].row.created_at };
  const inserts = found.map(({ table, row }) => insertInto(table, row, facts));
  assert.ok(inserts.some((sql) => sql.includes(JTI)), "no column holds the id of the refresh token");
  return inserts;
}

/** A column list and a SELECT over the numbers of the users, ordered by the primary key, which is the first column. */
function insertInto(table, row, facts) {
  // The database draws the ids of events itself.
  const columns = Object.keys(row).filter((name) => name !== "id" || row.id === facts.session);
  const values = columns.map((name) => expressionOf(row[name], facts));
  return `INSERT INTO ${table} (${columns.join(", ")})
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
    SELECT ${values.join(", ")} FROM numbers ORDER BY 1`;
}

function expressionOf(value, { user, session, jti, now }) {
  if (value === null) {
    return "NULL";
  }
  if (typeof value === "object") {
    assert.equal(Buffer.from(value).toString("hex"), jti, "a BLOB without a meaning");
    return `unhex(${JTI})`;
  }
  if (value === session) {
    return SESSION;
  }
  if (value === jti) {
    return JTI;
  }
  if (typeof value === "number") {
    return value === user ? "n" : Math.abs(value - now) < YEAR_MS ? `?2 + ${value - now}` : String(value);
  }
  return `'${value.replaceAll("'", "''")}'`;
}
