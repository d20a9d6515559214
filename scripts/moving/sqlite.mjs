// Reads a table of an SQLite file, page by page. A page is read at once: a statement that stays open would hold a lock, and
// with it stop the writes of a service that still runs on the file.
import { DatabaseSync } from "node:sqlite";

import { ImportFailure } from "./failure.mjs";

const PAGE = 500;

/** Opens a file for reading. */
export function openSqlite(path) {
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
    database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get();
    return database;
  } catch ({ message }) {
    throw new ImportFailure(`The SQLite file cannot be read: ${message}. A copy helps: sqlite3 app.db ".backup copy.db".`);
  }
}

/** A name as an SQL identifier. */
export const identifier = (name) => `"${name.replaceAll('"', '""')}"`;

/** The columns of each table, by its name. */
export function tablesOf(database) {
  const names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
  const columns = database.prepare("SELECT name FROM pragma_table_info(?)");
  return Object.fromEntries(names.map(({ name }) => [name, columns.all(name).map((column) => column.name)]));
}

/** The number of rows, for the progress. */
export const countOf = (database, table) => database.prepare(`SELECT count(*) AS rows FROM ${identifier(table)}`).get().rows;

/**
 * Yields `{line, record}` for each row in the order of its `rowid`, or `{line, code}`. `line` is the number of the row.
 * @param {DatabaseSync} database
 * @param {string} table
 * @param {Record<string, string>} columns the SQL of each column, of the table `t`
 */
export function* rowsOf(database, table, columns) {
  const page = prepared(database, table, columns);
  const decoder = new TextDecoder(database.prepare("PRAGMA encoding").get().encoding, { fatal: true, ignoreBOM: true });
  let last = -(2n ** 63n);
  let line = 0;
  for (let rows = page.all(last); rows.length > 0; rows = page.all(last)) {
    for (const { "rowid of t": rowid, ...row } of rows) {
      line += 1;
      last = rowid;
      yield { line, ...recordOf(row, decoder) };
    }
  }
}

/** Texts are read as bytes: SQLite would cut them at a NUL, and mend them where they are damaged. */
function prepared(database, table, columns) {
  const bytes = (sql) => `CASE typeof(${sql}) WHEN 'text' THEN CAST(${sql} AS BLOB) ELSE ${sql} END`;
  const selected = Object.entries(columns).map(([name, sql]) => `${bytes(sql)} AS ${identifier(name)}`);
  const from = `FROM ${identifier(table)} AS t WHERE t.rowid > ? ORDER BY t.rowid LIMIT ${PAGE}`;
  try {
    const page = database.prepare(`SELECT t.rowid AS "rowid of t", ${selected.join(", ")} ${from}`);
    page.setReadBigInts(true);
    return page;
  } catch ({ message }) {
    throw new ImportFailure(`The table ${table} cannot be read: ${message}.`);
  }
}

function recordOf(row, decoder) {
  try {
    return { record: Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value, decoder)])) };
  } catch {
    return { code: "not_utf8" };
  }
}

/** Bytes as text, since some systems store hashes as bytes; numbers as numbers where they fit. */
function plain(value, decoder) {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  return value instanceof Uint8Array ? decoder.decode(value) : value;
}

/** All columns of a table, as `rowsOf` takes them. */
export const plainColumns = (names) => Object.fromEntries(names.map((name) => [name, `t.${identifier(name)}`]));
