// The users of the targets: each has a session, written to all databases alike. The tokens of those sessions are
// signed here, so that no measurement has to start with thousands of logins.
import { pbkdf2Sync } from "node:crypto";

import { decode, headerOf, sign } from "../../tests/e2e/support/tokens.mjs";

export const USERS = 20_000;
export const PASSWORD = "correct horse of twenty thousand";

const SECOND = 1000;
const DAY = 86_400 * SECOND;

export const emailOf = (user) => `user-${user}@mail.example`;
/** The user with this address, if it is one of these users. */
export function userOf(email) {
  const number = /^user-([0-9]+)@/.exec(email)?.[1];
  return number && Number(number);
}

/** Spreads numbers over 32 bits. */
const scattered = (number, factor) => (number * factor) % 2 ** 32;
const sessionOf = (user) => 1 + scattered(user, 2654435761) * 2 ** 18 + user;
const hex = (number, digits) => number.toString(16).padStart(digits, "0");
const jtiOf = (user) => hex(scattered(user, 2246822519), 8) + hex(user, 24);

/** The same as SQL expressions of the user's number `n`. */
export const SESSION = "1 + ((n * 2654435761 & 4294967295) << 18) + n";
export const JTI = "printf('%08x%024x', n * 2246822519 & 4294967295, n)";

const INSERT_USERS = `
  INSERT INTO users (id, email, password_hash, full_name, created_at)
  WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
  SELECT n, 'user-' || n || '@mail.example', ?3, 'Person ' || n, ?2 FROM numbers`;

/** A password as the service stores it. */
export function hashOf(password, rounds) {
  const salt = "sixteen of bytes";
  const encoded = (bytes) => Buffer.from(bytes).toString("base64").replaceAll("=", "");
  const key = pbkdf2Sync(password, salt, rounds, 32, "sha256");
  return `$pbkdf2-sha256$i=${rounds},l=32$${encoded(salt)}$${encoded(key)}`;
}

/**
 * The statements that add this many users with a session each, with their values.
 * @param {{inserts: string[], hash: string}} model of `model.mjs`; every user has its password hash
 */
export function rowsOf(users, { inserts, hash }) {
  const values = [users, Date.now() - SECOND];
  return [{ sql: INSERT_USERS, values: [...values, hash] }, ...inserts.map((sql) => ({ sql, values }))];
}

/** Fills a migrated, empty database with USERS. */
export async function fill(db, model) {
  await db.batch(rowsOf(USERS, model).map(({ sql, values }) => db.prepare(sql).bind(...values)));
}

/**
 * Tokens that the product accepts, signed with the service's secret. `read` returns the user, the session and the id of
 * a token, or nothing of these without a token.
 */
export const PRODUCT_TOKENS = {
  access: remembering((user) => jwt("access", user, 900 * SECOND)),
  refresh: (user) => jwt("refresh", user, 7 * DAY),
  read: (token) => (token === undefined ? {} : readJwt(token)),
};

/** Tokens of the floor, of the same length as the product's. */
export const FLOOR_TOKENS = {
  access: (user) => filled(user, PRODUCT_TOKENS.access(user).length),
  refresh: (user) => filled(user, PRODUCT_TOKENS.refresh(user).length),
  read: (token) => (token === undefined ? {} : readFilled(token)),
};

/** Caches access tokens, which are sent repeatedly, so that signing does not distort the measurement. */
function remembering(make) {
  const made = new Map();
  return (user) => made.get(user) ?? made.set(user, make(user)).get(user);
}

function readFilled(token) {
  const [user, session, jti] = token.split(".");
  return { user: Number(user), session: Number(session), jti };
}

function readJwt(token) {
  const { sub, sid, jti } = decode(token).claims;
  return { user: Number(sub), session: Number(sid), jti };
}

const filled = (user, length) => `${user}.${sessionOf(user)}.${jtiOf(user)}.`.padEnd(length, "x");

function jwt(kind, user, lifetime) {
  const issued = Math.floor(Date.now() / SECOND) - 1;
  const claims = { exp: issued + lifetime / SECOND, iat: issued, sub: String(user), jti: jtiOf(user) };
  const rest = { sid: String(sessionOf(user)), type: kind, iss: "edge-auth", aud: "edge-auth" };
  return sign(headerOf(kind), { ...claims, ...rest });
}
