// Many rows at once, made in SQL: one statement that makes a million rows is much faster than a million statements.
// The same rows every time.
import { pbkdf2Sync } from "node:crypto";

/** The password of every user of the filled database. */
export const PASSWORD = "correct horse of two hundred thousand";
export const HASH = phc(PASSWORD, 1000);

export const emailOf = (id) => `user-${id}@mail.example`;

/** Spreads numbers below 2^32 over 32 bits: multiplication by an odd number is a bijection there. */
export const scatter = (number, factor = 2654435761) => `(((${number}) * ${factor}) & 4294967295)`;
/** Without any order: neighbouring numbers, or neighbours under `scatter`, are no neighbours here. */
export const shuffle = (number) => {
  return `(((${scatter(number)} >> 12) * (${scatter(number, 2246822519)} >> 12) >> 4) & 4294967295)`;
};
export const numbers = (first, last) =>
  `WITH RECURSIVE numbers (n) AS (SELECT ${first} UNION ALL SELECT n + 1 FROM numbers WHERE n < ${last})`;
export const values = (table, list) => {
  return `${table} AS (VALUES ${list.map((row) => `(${row.join(", ")})`).join(", ")})`;
};

/** Fills the tables of a migrated database that is new and not in use. */
export function fillWith(db, insert) {
  const indexes = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").all();
  // Nothing of value is lost if this is interrupted.
  db.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF");
  // Built once over all rows, they take a fraction of the time.
  indexes.forEach(({ name }) => db.exec(`DROP INDEX ${name}`));
  insert();
  indexes.forEach(({ sql }) => db.exec(sql));
  db.exec("PRAGMA journal_mode = WAL");
}

function phc(password, rounds) {
  const salt = Buffer.from("the same for all");
  const encoded = (bytes) => bytes.toString("base64").replaceAll("=", "");
  const hash = pbkdf2Sync(password, salt, rounds, 32, "sha256");
  return `$pbkdf2-sha256$i=${rounds},l=32$${encoded(salt)}$${encoded(hash)}`;
}
