// Requests that the product refuses, to show that the plain service checks its input as well.
import { decode, forge, headerOf, sign } from "../../tests/e2e/support/tokens.mjs";
import { get, post } from "./operations.mjs";
import { PRODUCT_TOKENS } from "./people.mjs";

/** A user of no measured operation. */
const USER = 150;
const access = PRODUCT_TOKENS.access(USER);
const refresh = PRODUCT_TOKENS.refresh(USER);
const me = (authorization) => get("/users/me", authorization === undefined ? {} : { Authorization: authorization });
const refreshing = (token) => post("/auth/refresh", { refresh_token: token });
const raw = (body, type = "application/json") => {
  const request = post("/auth/refresh", {});
  return { ...request, headers: { ...request.headers, "Content-Type": type }, body };
};
const long = (token, changes) => sign(headerOf("refresh"), { ...decode(token).claims, ...changes });
const now = Math.floor(Date.now() / 1000);

const REQUESTS = {
  "unknown path": get("/nowhere"),
  "wrong method": get("/auth/refresh"),
  "no token": me(),
  "another scheme": me(`Basic ${access}`),
  "no JWT": me("Bearer nonsense"),
  "altered signature": me(`Bearer ${access.slice(0, -2)}`),
  "a refresh token as access token": me(`Bearer ${refresh}`),
  "an access token as refresh token": refreshing(access),
  "another algorithm": me(`Bearer ${forge("access", { header: { alg: "HS512" } })}`),
  "another issuer": me(`Bearer ${forge("access", { claims: { iss: "other" } })}`),
  "a number as user": me(`Bearer ${forge("access", { claims: { sub: 1 } })}`),
  "of the future": refreshing(long(refresh, { iat: now + 3600 })),
  expired: refreshing(long(refresh, { exp: now - 1 })),
  "of an unknown user": me(`Bearer ${forge("access", { claims: { sub: "4503599627370496" } })}`),
  "of an unknown session": me(`Bearer ${forge("access", { claims: { sub: String(USER) } })}`),
  "not JSON": raw("{"),
  "no member": raw("{}"),
  "a member twice": raw(`{"refresh_token":"x","refresh_token":"${refresh}"}`),
  "a form": raw("refresh_token=x", "application/x-www-form-urlencoded"),
  "a charset": raw(JSON.stringify({ refresh_token: refresh }), "application/json; charset=utf-16"),
  "too large": raw(`{"refresh_token":"${"x".repeat(17_000)}"}`),
  "first use": refreshing(refresh),
  "second use": refreshing(refresh),
};

/** Status and error code of each request, in this order. */
export async function probe({ origin }) {
  const answers = {};
  for (const [title, { path, ...request }] of Object.entries(REQUESTS)) {
    const response = await fetch(origin + path, request);
    const { error } = await response.json();
    answers[title] = `${response.status} ${error?.code ?? ""}`;
  }
  return answers;
}
