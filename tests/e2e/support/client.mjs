// A transparent client of the service: paths and headers are sent as given, answers come back as they are.
import { request } from "node:http";
import { connect } from "node:net";

const JSON_BODY = { "Content-Type": "application/json" };
let users = 0;

/** The body of a registration: new on every call. */
export function newUser() {
  users += 1;
  return {
    email: `person-${users}@mail.example`,
    password: `correct horse ${users} battery staple`,
    full_name: `Person ${users}`,
  };
}

/**
 * Sends one request and reads the whole answer.
 * @param {{origin: string}} service
 * @param {string} path sent without any normalisation
 * @param {object} [options]
 * @param {string|Buffer|Array<string|Buffer>} [options.body] a list is sent chunked, without Content-Length
 * @returns {Promise<{status: number, headers: Record<string, string>, text: string, body: any}>}
 */
export async function send(service, path, { method = "GET", headers = {}, body } = {}) {
  const response = await exchange(service, path, { method, headers, body });
  // A watcher of the service (watched.mjs) sees everything that went over the wire.
  service.witness?.({ path, headers, body, response });
  return response;
}

function exchange(service, path, { method, headers, body }) {
  const { hostname, port } = new URL(service.origin);
  const isChunked = Array.isArray(body);
  const length = isChunked || body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, path, method, headers: { ...length, ...headers } }, (incoming) => {
      const chunks = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => resolve(answer(incoming, Buffer.concat(chunks).toString("utf8"))));
    });
    outgoing.on("error", reject);
    const pieces = isChunked ? body : [body ?? ""];
    // Bytes: with a text as its first piece, Node would write the headers in UTF-8, too, instead of Latin-1.
    pieces.filter((piece) => piece.length > 0).forEach((piece) => outgoing.write(Buffer.from(piece)));
    outgoing.end();
  });
}

/** Sends bytes as they are, which no client of Node would; returns all that comes back until the connection closes. */
export function sendBytes(service, bytes) {
  const { hostname, port } = new URL(service.origin);
  return new Promise((resolve, reject) => {
    const chunks = [];
    const socket = connect({ host: hostname, port }, () => socket.write(bytes));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}

function answer(incoming, text) {
  const isJson = incoming.headers["content-type"] === "application/json" && text !== "";
  return {
    status: incoming.statusCode,
    headers: incoming.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}

/** Posts a value as JSON; a Buffer or a string goes as it is. */
export function post(service, path, value, headers = {}) {
  const body = typeof value === "string" || Buffer.isBuffer(value) ? value : JSON.stringify(value);
  return send(service, path, { method: "POST", headers: { ...JSON_BODY, ...headers }, body });
}

export const register = (service, user, headers) => post(service, "/auth/register", user, headers);
export const login = (service, { email, password }, headers) =>
  post(service, "/auth/login", { email, password }, headers);
export const refresh = (service, token, headers) => post(service, "/auth/refresh", { refresh_token: token }, headers);
export const logout = (service, token, headers) => post(service, "/auth/logout", { refresh_token: token }, headers);
export const me = (service, token, headers = {}) =>
  send(service, "/users/me", { headers: { Authorization: `Bearer ${token}`, ...headers } });

/** One request of a signed-in user; a value goes as JSON. */
export function asUser(service, access, method, path, value, headers = {}) {
  const json = value === undefined ? {} : JSON_BODY;
  const body = value === undefined ? undefined : JSON.stringify(value);
  return send(service, path, { method, headers: { Authorization: `Bearer ${access}`, ...json, ...headers }, body });
}

export const listSessions = (service, access, headers) =>
  asUser(service, access, "GET", "/auth/sessions", undefined, headers);
export const endSession = (service, access, id, headers) =>
  asUser(service, access, "DELETE", `/auth/sessions/${id}`, undefined, headers);
export const logoutAll = (service, access, headers) =>
  asUser(service, access, "POST", "/auth/logout-all", undefined, headers);
export const updateProfile = (service, access, change, headers) =>
  asUser(service, access, "PATCH", "/users/me", change, headers);
export const changePassword = (service, access, current_password, new_password, headers) =>
  asUser(service, access, "PUT", "/users/me/password", { current_password, new_password }, headers);
export const deleteAccount = (service, access, password, headers) =>
  asUser(service, access, "DELETE", "/users/me", { password }, headers);
export const exportData = (service, access, query = "", headers = {}) =>
  asUser(service, access, "GET", `/users/me/export${query}`, undefined, headers);

/** The headers of a client with this address, and perhaps a user agent. */
export function from(ip, userAgent) {
  return { "CF-Connecting-IP": ip, ...(userAgent === undefined ? {} : { "User-Agent": userAgent }) };
}

let networks = 0;

/** An address that no other test of the file has: another /24 each time. */
export function newIp() {
  networks += 1;
  return `198.${18 + (networks >> 8)}.${networks & 255}.1`;
}

/** The first half of an IPv6 address, the part one customer gets: another one each time. */
export function newPrefix() {
  networks += 1;
  return `2001:db8:${(networks >> 8).toString(16)}:${(networks & 255).toString(16)}`;
}

/** A registered user with the tokens of the first session: `{user, id, access, refresh}`. */
export async function signUp(service, user = newUser(), headers = {}) {
  const { status, text, body } = await register(service, user, headers);
  if (status !== 201) {
    throw new Error(`could not register: ${status} ${text}`);
  }
  return { user, id: body.id, access: body.access_token, refresh: body.refresh_token };
}
