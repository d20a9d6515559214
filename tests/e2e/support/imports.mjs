// Imports of users as another system sends them: a service account, files of lines, and the outcomes.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

import { asUser, from, newIp, newUser, send, signUp } from "./client.mjs";
import { rows } from "./database.mjs";
import { assertCommonHeaders } from "./envelope.mjs";
import { appoint, made, newName } from "./roles.mjs";

export const IMPORT = "/admin/users/import";
export const LINES = { "Content-Type": "application/x-ndjson" };
export const MAX_BYTES = 1024 * 1024;
export const MAX_LINES = 500;
/** The default depends on the rounds of new hashes, which are few in tests. This one admits bcrypt up to a cost of 12. */
export const SETTINGS = { IMPORT_MAX_HASH_COST: "820000" };
/** Hours of CPU. */
export const TOO_COSTLY = "$2b$31$ABCDEFGHIJKLMNOPQRSTUuRmN1rvhBfUwaNAvkBNNIxQeXpMXdcb6";

/** A new service account that may import, and its administrator, from an address of their own: `{key, id, admin}`. */
export async function newImporter(service) {
  const ip = newIp();
  const person = await signUp(service, newUser(), from(ip));
  const admin = { ...person, grant: await appoint(service, person) };
  const account = { name: newName("importer"), scopes: ["users:import"] };
  const body = await made(asUser(service, admin.access, "POST", "/admin/service-accounts", account, from(ip)));
  return { key: body.key, id: body.id, admin };
}

/** Sends a body of lines; a list is sent chunked, each item in a chunk. */
export function importUsers(service, key, body, { query = "", headers = {} } = {}) {
  const authorization = { Authorization: `Bearer ${key}` };
  return send(service, `${IMPORT}${query}`, { method: "POST", headers: { ...authorization, ...LINES, ...headers }, body });
}

/** The same for an import that must be accepted: its outcomes, in the order of the lines. */
export const imported = async (...args) => outcomesOf(await importUsers(...args));

/** The outcomes of an answer. */
export function outcomesOf(response) {
  assert.equal(response.status, 200, response.text);
  assertCommonHeaders(response);
  assert.equal(response.headers["content-type"], "application/x-ndjson");
  assert.equal(response.headers["cache-control"], "no-store");
  assert.ok(response.text === "" || response.text.endsWith("\n"));
  return response.text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

/** The number of each outcome: `{"created": 50, "failed unavailable": 450}`. */
export function countsOf(outcomes) {
  const groups = Object.groupBy(outcomes, ({ outcome, code }) => (code ? `${outcome} ${code}` : outcome));
  return Object.fromEntries(Object.entries(groups).map(([name, { length }]) => [name, length]));
}

const LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const lettersOf = (bytes) => [...bytes].map((byte) => LETTERS[byte & 63]).join("");

/** A well-formed bcrypt hash of no known password, a different one on each call. */
export const anyHash = () => `$2b$10$${lettersOf(randomBytes(21))}u${lettersOf(randomBytes(30))}u`;

let users = 0;

/** A user of the other system; new on every call. */
export function newLine(changes = {}) {
  users += 1;
  const known = { external_id: `old-id-${users}`, email: `moved-${users}@mail.example`, email_verified: true };
  return { ...known, full_name: `Moved Person ${users}`, password_hash: anyHash(), ...changes };
}

export const newLines = (count, changes) => Array.from({ length: count }, () => newLine(changes));

/** Values, texts or bytes as lines. */
export function fileOf(lines, end = "\n") {
  const bytes = (line) => (Buffer.isBuffer(line) || typeof line === "string" ? line : JSON.stringify(line));
  return Buffer.concat(lines.flatMap((line) => [Buffer.from(bytes(line)), Buffer.from(end)]));
}

/** Adds blanks at the end of the last line, up to this many bytes. */
export function padded(file, length) {
  const end = file.lastIndexOf("\n");
  const last = file[end - 1] === 13 ? end - 1 : end;
  return Buffer.concat([file.subarray(0, last), Buffer.alloc(length - file.length, " "), file.subarray(last)]);
}

/** The stored users of these lines, by the columns that the lines have. */
export async function storedOf(db, lines) {
  const sql = `SELECT external_id, email, full_name, password_hash FROM users WHERE email IN (SELECT value FROM json_each(?1)) ORDER BY id`;
  return rows(db, sql, JSON.stringify(lines.map(({ email }) => email)));
}

/** Every line has exactly one account, as it was sent, that never signed in. */
export async function assertStored(db, lines) {
  const stored = await storedOf(db, lines);
  const sent = lines.map(({ external_id, email, full_name, password_hash: hash }) => {
    return { external_id, email, full_name, password_hash: `imported:${hash}` };
  });
  const byEmail = (one, other) => (one.email < other.email ? -1 : 1);
  assert.deepEqual(stored.sort(byEmail), sent.sort(byEmail));
}
