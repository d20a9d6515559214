// The headers of cookie mode, as browsers, other programs and pages of other origins send them: `Cookie`, `Origin` and the
// preflight of CORS. At this level, because the platform reads the headers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { newUser, post, refresh, send, signUp } from "./support/client.mjs";
import {
  assertCleared, cookieOf, DEVICE, logoutByCookie, OWN_PAGE, REFRESH, refreshByCookie, registerByCookie, setCookies, signInByCookie,
  signUpByCookie, valueOf,
} from "./support/cookies.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { startService } from "./support/service.mjs";
import { startFor } from "./support/start.mjs";
import { decode } from "./support/tokens.mjs";

const APP = "https://app.example.com";

const sidOf = (token) => decode(token).claims.sid;
const subOf = (token) => decode(token).claims.sub;

let service;
before(async () => (service = await startService({ settings: { BACKEND_CORS_ORIGINS: JSON.stringify([APP]) } })));
after(() => service?.stop());

describe("forms of the header Cookie", () => {
  const LARGE = "x".repeat(8192);
  const GOOD = {
    alone: (pair) => pair,
    "between others": (pair) => `a=1; ${pair}; b=2`,
    "without spaces": (pair) => `a=1;${pair};b=2`,
    "after an empty one of its name": (pair) => `${REFRESH}=; ${pair}`,
    "after 8 kB of others": (pair) => `large=${LARGE}; ${pair}`,
    "before 8 kB of others": (pair) => `${pair}; large=${LARGE}`,
    "beside pairs without a name or a value": (pair) => `flag; =1; ;; ${pair}; =`,
    "beside names that begin or end alike": (pair) => `${REFRESH}-x=1; x${REFRESH}=2; ${REFRESH.toLowerCase()}=3; ${pair}`,
    "beside a quoted value": (pair) => `a="b=1, c"; ${pair}`,
    // As browsers send `document.cookie = "name=Jürgen"`: the bytes of UTF-8.
    "beside letters beyond ASCII": (pair) => Buffer.from(`name=Jürgen; city=東京; ${pair}`).toString("latin1"),
  };
  for (const [form, written] of Object.entries(GOOD)) {
    test(`the cookie is found ${form}`, async () => {
      const { cookie } = await signUpByCookie(service);
      const response = await refreshByCookie(service, written(cookieOf(cookie)));
      assertSuccess(response, 200);
      assert.equal(sidOf(valueOf(response, REFRESH)), sidOf(cookie));
    });
  }

  test("an absent or empty cookie is no token, and nothing is cleared", async () => {
    for (const cookies of [undefined, `${REFRESH}=`, `${REFRESH}`, "a=1; b=2", `x${REFRESH}=1`]) {
      for (const request of [refreshByCookie, logoutByCookie]) {
        const response = await request(service, cookies);
        assertEnvelope(response, 401, "AUTH_TOKEN_INVALID");
        assert.equal(response.headers["www-authenticate"], 'Bearer realm="edge-auth"');
        assert.deepEqual(setCookies(response), []);
      }
    }
  });

  /** Quotes are a part of the value (RFC 6265 §4.1.1), and browsers add none. */
  test("a token with anything around it is refused and cleared, and the session lives on", async () => {
    const { cookie, access } = await signUpByCookie(service);
    for (const value of [`"${cookie}"`, `${cookie}.`, `${cookie},`, access, "x", "%00", "..", "x".repeat(8192)]) {
      for (const request of [refreshByCookie, logoutByCookie]) {
        const response = await request(service, cookieOf(value));
        assertEnvelope(response, 401, "AUTH_TOKEN_INVALID");
        assertCleared(response);
      }
    }
    assertSuccess(await refreshByCookie(service, cookieOf(cookie)), 200);
  });

  test("the token of a body counts, and the cookie beside it stays as it is", async () => {
    const [mine, other] = [await signUpByCookie(service), await signUp(service)];
    const headers = { ...OWN_PAGE, Cookie: cookieOf(mine.cookie) };
    const refreshed = await refresh(service, other.refresh, headers);
    assertSuccess(refreshed, 200);
    assert.equal(subOf(refreshed.body.refresh_token), String(other.id));
    const ended = await post(service, "/auth/logout", { refresh_token: refreshed.body.refresh_token }, headers);
    assert.deepEqual([...setCookies(refreshed), ...setCookies(ended)], []);
    assertSuccess(await refreshByCookie(service, cookieOf(mine.cookie)), 200);
  });

  test("the token of the device is no token of a session, and the reverse", async () => {
    const user = newUser();
    const answer = await registerByCookie(service, user);
    const [token, device] = [valueOf(answer, REFRESH), valueOf(answer, DEVICE)];
    assertEnvelope(await refreshByCookie(service, cookieOf(device)), 401, "AUTH_TOKEN_INVALID");
    assertEnvelope(await refreshByCookie(service, `${DEVICE}=${token}`), 401, "AUTH_TOKEN_INVALID");
    assertSuccess(await signInByCookie(service, user, { ...OWN_PAGE, Cookie: `${DEVICE}=${token}` }), 200);
  });
});

describe("CORS", () => {
  const ASKED = { "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type" };
  const preflight = (origin) =>
    send(service, "/auth/refresh", {
      method: "OPTIONS",
      headers: { Origin: origin, ...ASKED },
    });
  const of = (origin, site = "same-site") => ({ Origin: origin, "Sec-Fetch-Site": site });

  test("a listed origin may send the cookie and read the answer, also that of a refusal", async () => {
    const { cookie, user } = await signUpByCookie(service);
    const answers = [
      await preflight(APP),
      await signInByCookie(service, user, of(APP)),
      await refreshByCookie(service, cookieOf(cookie), of(APP)),
      await refreshByCookie(service, undefined, of(APP)),
      await signInByCookie(service, user, of(APP, "cross-site")),
    ];
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 401, 403]);
    for (const { headers } of answers) {
      assert.deepEqual([headers["access-control-allow-origin"], headers["access-control-allow-credentials"]], [APP, "true"]);
      assert.match(headers.vary, /\borigin\b/i);
    }
    assert.match(answers[0].headers["access-control-allow-methods"], /\bPOST\b/);
    assert.match(answers[0].headers["access-control-allow-headers"], /\bcontent-type\b/i);
  });

  test("another origin may do neither", async () => {
    const { cookie, user } = await signUpByCookie(service);
    const others = ["https://evil.example.com", `${APP}.evil.example`, "http://app.example.com", `${APP}:8443`, "null"];
    for (const origin of others) {
      const answers = [
        await preflight(origin),
        await signInByCookie(service, user, of(origin)),
        await refreshByCookie(service, cookieOf(cookie), of(origin)),
        await logoutByCookie(service, cookieOf(cookie), of(origin)),
      ];
      answers.forEach(({ headers }) => assert.equal(headers["access-control-allow-origin"], undefined));
      answers.slice(1).forEach((response) => {
        assertEnvelope(response, 403, "FORBIDDEN");
        assert.match(response.body.error.message, /must share a site/);
        assert.deepEqual(setCookies(response), []);
      });
    }
    assertSuccess(await refreshByCookie(service, cookieOf(cookie)), 200);
  });

  test("an origin that every page has is not listed", async (t) => {
    const open = await startFor(t, { settings: { BACKEND_CORS_ORIGINS: '["*"]' } });
    const { cookie } = await signUpByCookie(open);
    const response = await refreshByCookie(open, cookieOf(cookie), of(APP));
    assertEnvelope(response, 403, "FORBIDDEN");
    assert.equal(response.headers["access-control-allow-origin"], "*");
    assert.equal(response.headers["access-control-allow-credentials"], undefined);
  });
});
