// The floor: the least that this runtime can do for each operation. A Worker in plain JavaScript makes the same round
// trips to D1, with the same statements and values, and returns as many bytes. It contains no logic: no validation, no
// password hash, no signature, no log, no circuit breaker.
//
// The statements are those that the product sent to D1 when `recording.mjs` recorded it. `statements.js` has them as
// functions that take their values from the facts of a request, which this file provides. Before each measurement,
// `faithful.mjs` compares a recording of this Worker with that of the product.
//
// A token is `user.session.jti.` with padding to the length of the product's.
import { WorkerEntrypoint } from "cloudflare:workers";

import { BATCHES } from "./statements.js";

const UNLIMITED = 2 ** 53 - 1;

export default class extends WorkerEntrypoint {
  async fetch(request) {
    const path = request.url.slice(request.url.indexOf("/", 8));
    const headers = request.headers;
    const wrong = headers.get("X-Case");
    const [status, answer] = OPERATIONS[wrong ? `${path} ${wrong}` : path];
    const body = request.method === "POST" ? await request.json() : null;
    const context = {
      db: this.env.DB,
      authorization: headers.get("Authorization"),
      token: (user, session, jti) => `${user}.${session}.${jti}.`.padEnd(this.env.TOKEN_LENGTH, "x"),
    };
    const fact = {
      now: Date.now(),
      request_id: randomId(),
      ip: headers.get("CF-Connecting-IP"),
      agent: headers.get("User-Agent"),
    };
    return Response.json(await answer(context, fact, body), { status });
  }
}

const OPERATIONS = {
  "/health": [200, () => ({ status: "ok" })],
  "/auth/register": [201, register],
  "/auth/login": [200, login],
  "/auth/login wrong": [401, refuseLogin],
  "/auth/refresh": [200, refresh],
  "/users/me": [200, me],
  "/auth/logout": [200, logout],
};

const randomId = () => crypto.randomUUID().replaceAll("-", "");
const randomSession = () => 1 + Math.floor(Math.random() * UNLIMITED);

/** As long as `auth_time` and `amr`, which only access tokens have. */
const SIGN_IN_CLAIMS = "c".repeat(48);

function tokens({ token }, { user, session, issued }) {
  return {
    access_token: token(user, session, randomId()) + SIGN_IN_CLAIMS,
    refresh_token: token(user, session, issued),
    token_type: "bearer",
    expires_in: 900,
  };
}

/** As long as the product's. */
const DEVICE_TOKEN = "d".repeat(321);

async function register(context, fact, { email, full_name }) {
  fact.email = email;
  fact.full_name = full_name;
  fact.session = randomSession();
  fact.issued = randomId();
  fact.hash = `$pbkdf2-sha256$i=600000,l=32$${fact.request_id}$${fact.issued}`;
  const results = await BATCHES.register[0](context.db, fact);
  const row = results.flatMap(({ results: found }) => found).find(({ email: added }) => added !== undefined);
  fact.user = row.id;
  return { ...shown(row), ...tokens(context, fact), device_token: DEVICE_TOKEN };
}

/** Reads the account of an address, as the first batch of both kinds of login does. */
async function readCredentials(read, { db }, fact, { email }) {
  fact.email = email;
  fact.unknown_key = `unknown/${fact.now % 1024}`;
  const [{ results: [row] }] = await read(db, fact);
  fact.user = row.id;
  fact.throttle_key = `user/${row.id}/password`;
}

async function login(context, fact, body) {
  const [read, write] = BATCHES.login;
  await readCredentials(read, context, fact, body);
  fact.session = randomSession();
  fact.issued = randomId();
  await write(context.db, fact);
  return { ...tokens(context, fact), device_token: DEVICE_TOKEN };
}

async function refuseLogin(context, fact, body) {
  const [read, write] = BATCHES.wrongLogin;
  await readCredentials(read, context, fact, body);
  await write(context.db, fact);
  const error = { code: "AUTH_INVALID_CREDENTIALS", message: "Incorrect email or password", details: {} };
  return { error, request_id: fact.request_id };
}

async function refresh(context, fact, { refresh_token: token }) {
  readToken(fact, token);
  fact.issued = randomId();
  await BATCHES.refresh[0](context.db, fact);
  return tokens(context, fact);
}

async function me({ db, authorization }, fact) {
  readToken(fact, authorization.slice("Bearer ".length));
  const [{ results: [row] }, { results: roles }] = await BATCHES.me[0](db, fact);
  return { ...shown(row), roles };
}

async function logout({ db }, fact, { refresh_token: token }) {
  readToken(fact, token);
  await BATCHES.logout[0](db, fact);
  return { message: "Logged out successfully" };
}

function readToken(fact, token) {
  const [user, session, jti] = token.split(".");
  fact.user = Number(user);
  fact.session = Number(session);
  fact.presented = jti;
}

function shown({ id, email, full_name, is_active, created_at }) {
  return { id, email, full_name, is_active: is_active === 1, created_at: new Date(created_at).toISOString() };
}
