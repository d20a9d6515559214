// The database of an archive, in memory, with the schema of the service. The scripts read theirs by wrangler.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { ROOT } from "./make.mjs";

const MIGRATIONS = join(ROOT, "migrations");

export const insert = (database, table, row) => {
  const names = Object.keys(row);
  const sql = `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map((name) => `:${name}`).join(", ")})`;
  return database.prepare(sql).run(row);
};

/** A database with all migrations, and without users. */
export function migratedDatabase() {
  const database = new DatabaseSync(":memory:");
  readdirSync(MIGRATIONS).sort().forEach((name) => database.exec(readFileSync(join(MIGRATIONS, name), "utf8")));
  return database;
}

/** `ask(sql)` gives the rows of each statement, as `query` does. */
export const asking = (database) => (sql) => sql.split(";").map((statement) => database.prepare(statement).all().map((row) => ({ ...row })));

/** The statements of the tables that have to do with audit events. */
export function schema() {
  const tables = migratedDatabase().prepare("SELECT sql FROM sqlite_master WHERE type = 'table' AND name GLOB 'audit_*'").all();
  return tables.map(({ sql }) => `${sql};`).join("\n");
}
let tables;

/** The database with the rows of an archive, and its `ask`. An attacker that writes to it is not held up by its constraints. */
export function databaseOf({ key, rows }) {
  const database = new DatabaseSync(":memory:");
  database.exec((tables ??= schema()));
  database.exec("PRAGMA ignore_check_constraints = ON");
  const { kid, jwk, sealed = { master_key: "", encrypted_by: "" } } = key;
  insert(database, "audit_keys", { id: 1, kid, public_key: JSON.stringify(jwk), private_key: "", ...sealed, created_at: 0 });
  rows.forEach((row) => insert(database, "audit_objects", row));
  return { database, ask: asking(database) };
}
