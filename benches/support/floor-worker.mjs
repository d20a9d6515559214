// The floor: the least that this runtime can do for each operation. A Worker in plain JavaScript makes the same round
// trips to D1, with the same statements and types of values, and returns as many bytes. It contains no logic: no
// validation, no password hash, no signature, no log, no circuit breaker.
//
// A token is `user.session.jti.` with padding to the length of the product's. Before each measurement, `faithful.mjs`
// compares this file with the product, statement by statement.
import { WorkerEntrypoint } from "cloudflare:workers";

import { sql } from "./statements.js";

const DAY = 86_400_000;
const UNLIMITED = 2 ** 53 - 1;
const MAX_SESSIONS = 100;
/** Free failures, first and longest wait in ms, maximum number of doublings. */
const THROTTLE = [5, 1000, 900_000, 10];

export default class extends WorkerEntrypoint {
  async fetch(request) {
    const path = request.url.slice(request.url.indexOf("/", 8));
    const [status, answer] = OPERATIONS[path];
    const headers = request.headers;
    const body = request.method === "POST" ? await request.json() : null;
    const context = {
      now: Date.now(),
      id: randomId(),
      ip: headers.get("CF-Connecting-IP"),
      agent: headers.get("User-Agent"),
      authorization: headers.get("Authorization"),
      token: (user, session, jti) => `${user}.${session}.${jti}.`.padEnd(this.env.TOKEN_LENGTH, "x"),
      batch: (list) => batch(this.env.DB, list),
    };
    return Response.json(await answer(context, body), { status });
  }
}

const OPERATIONS = {
  "/health": [200, () => ({ status: "ok" })],
  "/auth/register": [201, register],
  "/auth/login": [200, login],
  "/auth/login?wrong": [401, refuseLogin],
  "/auth/refresh": [200, refresh],
  "/users/me": [200, me],
  "/auth/logout": [200, logout],
};

const batch = (db, list) => db.batch(list.map(([name, ...values]) => db.prepare(sql(name)).bind(...values)));
const randomId = () => crypto.randomUUID().replaceAll("-", "");
const randomSession = () => 1 + Math.floor(Math.random() * UNLIMITED);

/** The audit event of an operation, as the values of `audit.RECORD` and similar statements. */
const event = ({ now, id, ip, agent }, type, reason, user, session) =>
  [now, type, reason, user, session, null, null, id, ip, agent];

function tokens({ token }, user, session, jti) {
  return {
    access_token: token(user, session, randomId()),
    refresh_token: token(user, session, jti),
    token_type: "bearer",
    expires_in: 900,
  };
}

async function register(context, { email, full_name }) {
  const { now, id, ip, agent, batch } = context;
  const [session, jti] = [randomSession(), randomId()];
  const hash = `$pbkdf2-sha256$i=600000,l=32$${id}$${jti}`;
  const [, { results: [user] }] = await batch([
    ["users.COUNT_REGISTRATION", ip, now, now - 3_600_000],
    ["users.INSERT_USER", email, hash, full_name, now, ip, UNLIMITED],
    ["users.OPEN_SESSION_OF_NEW_USER", session, now, now + 30 * DAY, ip, agent, email, hash],
    ["sessions.FIRST_TOKEN", jti, now, now + 7 * DAY, session],
    ["users.RECORD_REGISTRATION", now, UNLIMITED, ip, agent, id, email, session, ip],
  ]);
  return { ...shown(user), ...tokens(context, user.id, session, jti) };
}

const credentials = (email, now) => [
  ["credentials.SELECT_BY_EMAIL", email],
  ["credentials.SELECT_UNKNOWN", now % 1024],
];

async function login(context, { email }) {
  const { now, id, ip, agent, batch } = context;
  const [{ results: [user] }] = await batch(credentials(email, now));
  const [session, jti] = [randomSession(), randomId()];
  const done = event(context, "signed_in", null, user.id, session);
  await batch([
    ["sessions.OPEN_SESSION", session, now, now + 30 * DAY, ip, agent, user.id, user.password_version],
    ["audit.RECORD_OUTCOME", ...done, "sign_in_refused", "overtaken", null],
    ["sessions.FIRST_TOKEN", jti, now, now + 7 * DAY, session],
    ["sessions.RESET_THROTTLE", user.id, session],
    ["sessions.RECORD_OLDEST", now, user.id, MAX_SESSIONS, session, ip, agent, id],
    ["sessions.END_OLDEST", now, user.id, MAX_SESSIONS, session],
  ]);
  return tokens(context, user.id, session, jti);
}

async function refuseLogin(context, { email }) {
  const { now, id, batch } = context;
  const [{ results: [user] }] = await batch(credentials(email, now));
  await batch([
    ["credentials.COUNT_FAILURE", user.id, 1, now, ...THROTTLE],
    ["audit.RECORD", ...event(context, "sign_in_refused", "wrong_password", user.id, null)],
  ]);
  const error = { code: "AUTH_INVALID_CREDENTIALS", message: "Incorrect email or password", details: {} };
  return { error, request_id: id };
}

async function refresh(context, { refresh_token }) {
  const { now, id, ip, agent, batch } = context;
  const [user, session, jti] = refresh_token.split(".");
  const [userId, sessionId, next] = [Number(user), Number(session), randomId()];
  await batch([
    ["rotation.EXCHANGE_TOKEN", now, next, jti, sessionId, userId],
    ["rotation.ADD_SUCCESSOR", now, now + 7 * DAY, jti, next],
    ["rotation.NOTE_USE", now, ip, agent, sessionId, jti, next],
    ["rotation.END_FOR_REUSE", now, sessionId, userId, jti, next, now],
    ["rotation.RECORD", now, sessionId, ip, agent, id, next, now, jti, userId],
    ["rotation.SELECT_AFTERMATH", userId, jti, sessionId, now],
  ]);
  return tokens(context, userId, sessionId, next);
}

async function me({ authorization, now, batch }) {
  const [user, session] = authorization.slice("Bearer ".length).split(".");
  const [{ results: [row] }, { results: roles }] = await batch([
    ["users.SELECT_CALLER", Number(user), Number(session), now],
    ["roles.SELECT_OF_USER", Number(user)],
  ]);
  return { ...shown(row), roles };
}

async function logout(context, { refresh_token }) {
  const [user, session] = refresh_token.split(".");
  const [userId, sessionId] = [Number(user), Number(session)];
  await context.batch([
    ["sessions.SIGN_OUT", context.now, sessionId, userId],
    ["audit.RECORD_IF_CHANGED", ...event(context, "signed_out", null, userId, sessionId)],
  ]);
  return { message: "Logged out successfully" };
}

function shown({ id, email, full_name, is_active, created_at }) {
  return { id, email, full_name, is_active: is_active === 1, created_at: new Date(created_at).toISOString() };
}
