// A source file as the lines of the API: each entry becomes a line to send, or a refusal that never reaches the service.
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";

import { parseMap } from "./columns.mjs";
import { rowsOfCsv } from "./csv.mjs";
import { ImportFailure, Refusal } from "./failure.mjs";
import { FORMATS, formatOf } from "./format.mjs";
import { requireBetterAuthTables } from "./formats/better-auth.mjs";
import { readHashConfig } from "./formats/firebase.mjs";
import { elements } from "./json-list.mjs";
import { lines } from "./lines.mjs";
import { openPasswords } from "./passwords.mjs";
import { LISTS, shapeOf } from "./shape.mjs";
import { countOf, openSqlite, plainColumns, rowsOf, tablesOf } from "./sqlite.mjs";

/** Bytes of a line that the service takes. */
const MAX_LINE = 16 * 1024;
/** The service's limit of an external id, for reports. */
const MAX_ID = 200;

/**
 * Opens a source. `items()` yields `{line, text, externalId}`, or `{line, code, externalId}` for a refusal. `done()` and `total`
 * count bytes, or rows of SQLite.
 */
export function openSource(options) {
  const shape = shapeOf(options.from);
  if (shape.shape === "empty") {
    return { format: "none", total: 0, done: () => 0, items: async function* () {}, close() {} };
  }
  const format = formatOf(options, shape);
  if (options.map && !FORMATS[format].hasColumns) {
    throw new ImportFailure("MAP= applies to the formats fastapi, ndjson and csv.");
  }
  const map = parseMap(options.map);
  const hashConfig = options.hashConfig ? readHashConfig(options.hashConfig) : undefined;
  const passwords = options.passwords ? openPasswords(options.passwords) : undefined;
  const reader = readerOf(options, shape.shape, format);
  const context = { map, hashConfig, passwords: passwords?.find };
  // A line of the API goes out as it is: the service sees duplicate and unknown members, which a parser drops.
  const isRaw = format === "ndjson" && !options.map && !options.verified;
  const read = isRaw ? rawLine : (entry) => builtLine(FORMATS[format].read(entry, context), options);
  return { format, ...reader, items: () => items(reader.entries(), read, passwords), close: () => passwords?.close() };
}

/** A digest that changes with the file, or with an option that changes its lines. */
export function fingerprintOf({ from, target, ...options }) {
  const files = [from, `${from}-wal`, options.hashConfig, options.passwords].filter((path) => path && existsSync(path));
  const states = files.map((path) => [path, statSync(path).size, statSync(path).mtimeMs]);
  return createHash("sha256").update(JSON.stringify([states, target, options])).digest("hex");
}

function readerOf({ from, table }, shape, format) {
  if (shape === "sqlite") {
    return readerOfSqlite(from, table, format);
  }
  let position = 0;
  const seen = (bytes) => (position = bytes);
  const readers = { csv: () => rowsOfCsv(from, seen), lines: () => lines(from, seen), list: () => elements(from, LISTS, seen) };
  return { entries: readers[shape], total: statSync(from).size, done: () => position };
}

function readerOfSqlite(from, table, format) {
  const database = openSqlite(from);
  const tables = tablesOf(database);
  const usual = ["users", "user"].find((name) => tables[name]?.includes("hashed_password"));
  const query = format === "better-auth" ? requireBetterAuthTables(tables) : { table: table || usual };
  if (!tables[query.table]) {
    const names = Object.keys(tables).join(", ") || "none";
    throw new ImportFailure(`The SQLite file has no table ${query.table ?? "of users"}: set TABLE= to one of ${names}.`);
  }
  const columns = { ...plainColumns(tables[query.table]), ...query.added };
  let rows = 0;
  const entries = function* () {
    for (const row of rowsOf(database, query.table, columns)) {
      rows = row.line;
      yield row;
    }
  };
  return { entries, total: countOf(database, query.table), done: () => rows };
}

async function* items(entries, read, passwords) {
  await passwords?.fill();
  for await (const { line, code, text, record } of entries) {
    const item = code ? { code } : itemOf(text ?? record, read);
    if (item) {
      yield { line, ...item };
    }
  }
}

/** The line of an entry, its refusal, or `undefined` for an entry that is no user. */
function itemOf(source, read) {
  const entry = typeof source === "string" ? objectOf(source) : source;
  if (entry === undefined) {
    return { code: "not_json" };
  }
  try {
    return read(entry, source);
  } catch (error) {
    if (error instanceof Refusal) {
      return { code: error.code, externalId: reportable(idIn(entry)) };
    }
    // An entry of an unexpected form is a fault of the entry. Its message might quote a hash.
    if (error instanceof TypeError) {
      return { code: "unexpected_form", externalId: reportable(idIn(entry)) };
    }
    throw error;
  }
}

function objectOf(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? (value ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}

/** Ids by which other systems name a user, for the report. */
const idIn = (entry) => entry.external_id ?? entry.id ?? entry.localId ?? entry.user_id ?? entry._id?.$oid ?? entry.pk;
const reportable = (id) => (["string", "number"].includes(typeof id) ? String(id).slice(0, MAX_ID) : undefined);

function rawLine(entry, text) {
  return withinLimit(text, entry.external_id);
}

function builtLine(members, { verified }) {
  if (members === undefined) {
    return undefined;
  }
  if (members.email === undefined) {
    return { code: "no_email", externalId: reportable(members.external_id) };
  }
  const line = verified ? { ...members, email_verified: members.email_verified ?? true } : members;
  return withinLimit(JSON.stringify(line), members.external_id);
}

function withinLimit(text, id) {
  const externalId = reportable(id);
  return Buffer.byteLength(text) > MAX_LINE ? { code: "line_too_long", externalId } : { text, externalId };
}
