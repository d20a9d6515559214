// Cookie mode as a browser uses it: sign-ins that ask for cookies, and requests with the cookie and without a body.
import assert from "node:assert/strict";

import { newUser, post, send } from "./client.mjs";

export const REFRESH = "__Host-edge-auth";
export const DEVICE = "__Host-edge-auth-device";
/** A page of the service itself; no script can set this header. */
export const OWN_PAGE = { "Sec-Fetch-Site": "same-origin" };

/** A sign-in, or a registration, that asks for cookies. */
export const signInByCookie = (service, body, headers) => inCookies(service, "/auth/login", body, headers);
export const registerByCookie = (service, body, headers) => inCookies(service, "/auth/register", body, headers);

function inCookies(service, path, body, headers = OWN_PAGE) {
  return post(service, path, { ...body, token_delivery: "cookie" }, headers);
}

/** A registered user with a session in cookies: `{user, id, access, cookie}`. */
export async function signUpByCookie(service, user = newUser()) {
  const response = await registerByCookie(service, user);
  assert.equal(response.status, 201, response.text);
  return { user, id: response.body.id, access: response.body.access_token, cookie: valueOf(response, REFRESH) };
}

/** The headers `Set-Cookie` of a response, one text each. */
export const setCookies = ({ headers }) => headers["set-cookie"] ?? [];

/** The value that a response gives to a cookie; undefined if it leaves the cookie alone, "" if it removes it. */
export function valueOf(response, name) {
  const line = setCookies(response).find((cookie) => cookie.startsWith(`${name}=`));
  return line?.slice(name.length + 1, line.indexOf(";"));
}

/** Fails unless the response removes the cookie of the session, and no other. */
export function assertCleared(response) {
  assert.deepEqual(setCookies(response), [`${REFRESH}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict`]);
}

/** The header `Cookie` of a browser that has this session. */
export const cookieOf = (token) => `${REFRESH}=${token}`;

/** Requests without a body, and so without a type of it. `cookies` is the whole header. */
export const refreshByCookie = (service, cookies, headers) => bare(service, "/auth/refresh", cookies, headers);
export const logoutByCookie = (service, cookies, headers) => bare(service, "/auth/logout", cookies, headers);

function bare(service, path, cookies, headers = OWN_PAGE) {
  return send(service, path, { method: "POST", headers: { ...headers, ...(cookies && { Cookie: cookies }) } });
}
