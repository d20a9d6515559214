// The formats of sources, by the names of `FORMAT=`, and the guess where a file tells its format beyond doubt.
import { columnsOf, lineOf, MEMBERS, membersOf } from "./columns.mjs";
import { ImportFailure } from "./failure.mjs";
import { auth0 } from "./formats/auth0.mjs";
import { betterAuth, betterAuthTables } from "./formats/better-auth.mjs";
import { clerk } from "./formats/clerk.mjs";
import { django } from "./formats/django.mjs";
import { firebase } from "./formats/firebase.mjs";
import { keycloak } from "./formats/keycloak.mjs";
import { kratos } from "./formats/kratos.mjs";
import { supabase } from "./formats/supabase.mjs";
import { parsed } from "./shape.mjs";
import { openSqlite, tablesOf } from "./sqlite.mjs";

/** The rows of a table have the same columns: the first one decides. */
const byColumns = (row, context) => lineOf(row, (context.columns ??= columnsOf(Object.keys(row), context.map)));
const byMembers = (entry, { map }) => lineOf(entry, membersOf(Object.keys(entry), map));

/**
 * `shapes` are those that the format has. `read` makes a line of an entry, or `undefined` for one that is no user; it throws a
 * `Refusal`. `hasColumns` says that `MAP=` applies.
 */
export const FORMATS = {
  fastapi: { shapes: ["sqlite"], read: byColumns, hasColumns: true },
  ndjson: { shapes: ["lines"], read: byMembers, hasColumns: true },
  csv: { shapes: ["csv"], read: byColumns, hasColumns: true },
  supabase: { shapes: ["csv", "lines", "list"], read: supabase },
  auth0: { shapes: ["lines", "list"], read: auth0 },
  firebase: { shapes: ["list"], read: firebase },
  clerk: { shapes: ["csv"], read: clerk },
  keycloak: { shapes: ["list"], read: keycloak },
  django: { shapes: ["list", "lines"], read: django },
  "better-auth": { shapes: ["sqlite", "lines", "list"], read: betterAuth },
  kratos: { shapes: ["lines", "list"], read: kratos },
};

/** The format by its name, or by the file. */
export function formatOf({ from, format, table }, { shape, head }) {
  const name = format || (table ? "fastapi" : guess(from, shape, head));
  if (!Object.hasOwn(FORMATS, name ?? "")) {
    const which = format ? `There is no format ${format}` : `${from} does not tell its format`;
    throw new ImportFailure(`${which}: set FORMAT= to one of ${Object.keys(FORMATS).join(", ")}.`);
  }
  if (!FORMATS[name].shapes.includes(shape)) {
    const names = { sqlite: "an SQLite file", lines: "lines of JSON", list: "a JSON document", csv: "CSV" };
    const wanted = FORMATS[name].shapes.map((one) => names[one]).join(" or ");
    throw new ImportFailure(`${from} is ${names[shape]}, and the format ${name} is ${wanted}.`);
  }
  return name;
}

function guess(from, shape, head) {
  if (shape === "sqlite") {
    return guessByTables(tablesOf(openSqlite(from)));
  }
  if (shape === "csv") {
    return guessByColumns(head.split(/\r?\n/)[0].split(",").map((name) => name.replaceAll('"', "").trim()));
  }
  return shape === "lines" ? guessByEntry(parsed(head.split("\n")[0])) : guessByDocument(head);
}

function guessByTables(tables) {
  const isFastapi = ["users", "user"].some((name) => tables[name]?.includes("hashed_password"));
  return isFastapi ? "fastapi" : betterAuthTables(tables) && "better-auth";
}

function guessByColumns(names) {
  const has = (...wanted) => wanted.every((name) => names.includes(name));
  if (has("encrypted_password", "raw_user_meta_data")) {
    return "supabase";
  }
  return has("primary_email_address", "password_digest") ? "clerk" : has("email") ? "csv" : undefined;
}

function guessByEntry(entry) {
  if (typeof entry !== "object" || entry === null) {
    return undefined;
  }
  const has = (...wanted) => wanted.every((name) => Object.hasOwn(entry, name));
  if (has("traits")) {
    return "kratos";
  }
  if (has("encrypted_password", "raw_user_meta_data")) {
    return "supabase";
  }
  if (entry._id?.$oid !== undefined || String(entry.user_id).startsWith("auth0|")) {
    return "auth0";
  }
  return has("email") && Object.keys(entry).every((name) => MEMBERS.includes(name)) ? "ndjson" : undefined;
}

/** The list of a document may begin far behind its head, so names that only one system has decide. */
function guessByDocument(head) {
  const has = (name) => new RegExp(`"${name}"\\s*:`).test(head);
  const found = [
    ["firebase", has("localId")],
    ["django", has("model") && has("fields")],
    ["kratos", has("traits") && has("schema_id")],
    ["keycloak", has("realm") || (has("createdTimestamp") && has("username"))],
  ].filter(([, is]) => is);
  return found.length === 1 ? found[0][0] : undefined;
}
