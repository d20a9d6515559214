// Entries whose columns are those of the API, or are named by `MAP=`: CSV, NDJSON, a table of SQLite.
import { ImportFailure } from "./failure.mjs";
import { fullName, hash, isBlank, moment, nested, text, truth } from "./values.mjs";

const READERS = {
  external_id: text,
  email: text,
  email_verified: (value) => truth(value, "email_verified_invalid"),
  full_name: (value) => fullName(value),
  password_hash: hash,
  created_at: moment,
  is_active: (value) => truth(value, "is_active_invalid"),
  roles: (value) => (isBlank(value) ? undefined : (nested(value) ?? value)),
};
/** Members of a line, as the API has them. */
export const MEMBERS = Object.keys(READERS);

/** Other names that a column may have without `MAP=`. Never one that may hold a password itself. */
const ALIASES = { external_id: ["id"], password_hash: ["hashed_password"], email_verified: ["is_verified"], full_name: ["name"] };

/** Reads `MAP=member:column,…`. */
export function parseMap(option) {
  const pairs = option.split(",").filter((pair) => pair.trim() !== "").map((pair) => pair.split(/:(.*)/s));
  const map = Object.fromEntries(pairs.map(([member, column = ""]) => [member.trim(), column.trim()]));
  const wrong = Object.entries(map).filter(([member, column]) => !MEMBERS.includes(member) || column === "");
  if (wrong.length > 0) {
    throw new ImportFailure(`MAP= is a list as email:mail,full_name:display_name. The names before the colons: ${MEMBERS.join(", ")}.`);
  }
  return map;
}

/** The column of each member, for a table with these columns. */
export function columnsOf(names, map) {
  const lacking = Object.values(map).filter((column) => !names.includes(column));
  if (lacking.length > 0) {
    throw new ImportFailure(`MAP= names columns that the source does not have: ${lacking.join(", ")}. It has: ${names.join(", ")}.`);
  }
  return membersOf(names, map);
}

/** The same for one object, which may lack a member. */
export function membersOf(names, map) {
  const usual = (member) => [member, ...(ALIASES[member] ?? [])].find((name) => names.includes(name));
  const columns = MEMBERS.map((member) => [member, map[member] ?? usual(member)]);
  return Object.fromEntries(columns.filter(([, column]) => column !== undefined));
}

/** The line of an entry. */
export const lineOf = (record, columns) =>
  Object.fromEntries(Object.entries(columns).map(([member, column]) => [member, READERS[member](record[column])]));
