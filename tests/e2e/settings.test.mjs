// An operator's settings and their effects on clients. At this level, because the settings come in through the
// bindings of the deployment and some go out again in headers and static files.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { login, logout, me, newUser, post, refresh, register, send, signUp } from "./support/client.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { logged, loggedOf } from "./support/logs.mjs";
import { SECRET_KEY } from "./support/service.mjs";
import { restarting, startFor } from "./support/start.mjs";
import { decode, keyId } from "./support/tokens.mjs";

const NEW_SECRET = "e2e-new-3c9a7e51f0b24d68a1e2d3c4b5f60718";
const PAGE = "https://app.mail.example";
const FOREIGN = "https://evil.example";
const DESCRIBED = ["/openapi.json", "/openapi.yaml"];
const POSTS = ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"];

const corsHeaders = ({ headers }) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("access-control-")));
const withOrigin = (origin) => ({ headers: { Origin: origin } });
const listed = (header) => header.toLowerCase().split(/\s*,\s*/).sort();

test("BASE_PATH mounts every route there and none elsewhere", async (t) => {
  const service = await startFor(t, { settings: { BASE_PATH: "/api/v1" } });
  const at = (path) => `/api/v1${path}`;
  const user = newUser();
  const registered = await post(service, at("/auth/register"), user);
  assertSuccess(registered, 201);
  const { access_token, refresh_token } = registered.body;
  assertSuccess(await post(service, at("/auth/login"), user), 200);
  const refreshed = await post(service, at("/auth/refresh"), { refresh_token });
  assertSuccess(refreshed, 200);
  const headers = { Authorization: `Bearer ${access_token}` };
  const seen = await send(service, at("/users/me"), { headers });
  assertSuccess(seen, 200);
  assert.equal((await loggedOf(service, seen)).at(-1).route, "/api/v1/users/me");
  assertSuccess(await post(service, at("/auth/logout"), { refresh_token: refreshed.body.refresh_token }), 200);
  assertSuccess(await send(service, at("/health")), 200);
  for (const path of DESCRIBED) {
    assert.equal((await send(service, at(path))).status, 200);
  }
  for (const path of [...POSTS, ...DESCRIBED, "/users/me", "/health", "/", "/api", "/api/v2/health"]) {
    assertEnvelope(await send(service, path, { headers }), 404, "NOT_FOUND");
  }
  for (const path of ["/nowhere", "/api/v1/health", "//health", "/health/"]) {
    assertEnvelope(await send(service, at(path)), 404, "NOT_FOUND");
  }
  assertEnvelope(await send(service, at("/auth/login")), 405, "METHOD_NOT_ALLOWED");
  assertEnvelope(await send(service, at("/users/me")), 401, "AUTH_TOKEN_INVALID");
});

test("the API description names the deployment: APP_NAME as title, BASE_PATH as server", async (t) => {
  const plain = await startFor(t);
  const description = async (service, path) => JSON.parse((await send(service, path)).text);
  const standard = await description(plain, "/openapi.json");
  assert.equal(standard.info.title, "edge-auth");
  assert.deepEqual(standard.servers, [{ url: "/" }]);

  const name = 'Ada\'s "sign-in" \\ $& <b>größer</b>: #1';
  const service = await startFor(t, { settings: { BASE_PATH: "/api/v1", APP_NAME: name } });
  const named = await description(service, "/api/v1/openapi.json");
  assert.equal(named.info.title, name);
  assert.deepEqual(named.servers, [{ url: "/api/v1" }]);
  assert.deepEqual({ ...named, info: { ...named.info, title: "edge-auth" }, servers: [{ url: "/" }] }, standard);
  const yaml = (await send(service, "/api/v1/openapi.yaml")).text;
  assert.ok(yaml.includes(`\n  title: ${JSON.stringify(name)}\n`), yaml.slice(0, 200));
  assert.ok(yaml.includes('\n  - url: "/api/v1"\n'));
  const refused = await send(service, "/api/v1/users/me");
  assertEnvelope(refused, 401, "AUTH_TOKEN_INVALID");
  assert.match(refused.headers["www-authenticate"], /^Bearer realm="[ !#-[\]-~]+"$/);
});

describe("CORS", () => {
  test("without a setting no response has CORS headers", async (t) => {
    const service = await startFor(t);
    for (const response of [
      await send(service, "/health", withOrigin(PAGE)),
      await send(service, "/nowhere", withOrigin(PAGE)),
      await send(service, "/auth/login", { method: "OPTIONS", headers: preflight(PAGE) }),
    ]) {
      assert.deepEqual(corsHeaders(response), {});
      assert.equal(response.headers.vary, undefined);
    }
  });

  test("listed origins are echoed with credentials, others get no permission, and caches vary by origin", async (t) => {
    const settings = { BACKEND_CORS_ORIGINS: JSON.stringify([PAGE, "http://localhost:5173"]) };
    const service = await startFor(t, { settings });
    const answers = (headers) => [
      send(service, "/health", { headers }),
      register(service, newUser(), headers),
      login(service, newUser(), headers),
      register(service, {}, headers),
      me(service, "no.jwt.this", headers),
      send(service, "/nowhere", { headers }),
      send(service, "/auth/login", { headers }),
      send(service, "/auth/login", { method: "POST", headers, body: " ".repeat(20_000) }),
    ];
    for (const origin of [PAGE, "http://localhost:5173"]) {
      const responses = await Promise.all(answers({ Origin: origin }));
      assert.deepEqual(responses.map(({ status }) => status), [200, 201, 401, 422, 401, 404, 405, 413]);
      for (const response of responses) {
        const { "access-control-expose-headers": exposed, ...others } = corsHeaders(response);
        const allowed = { "access-control-allow-origin": origin, "access-control-allow-credentials": "true" };
        assert.deepEqual(others, allowed);
        assert.deepEqual(listed(exposed), ["retry-after", "www-authenticate", "x-edge-auth-bookmark", "x-request-id"]);
        assert.ok(listed(response.headers.vary).includes("origin"));
      }
    }
    const similar = [`${PAGE}:8443`, "http://app.mail.example", `${PAGE}.evil.example`, PAGE.toUpperCase()];
    for (const origin of [FOREIGN, ...similar, "null"]) {
      for (const response of await Promise.all(answers({ Origin: origin }))) {
        assert.equal(response.headers["access-control-allow-origin"], undefined);
        assert.ok(listed(response.headers.vary).includes("origin"), "the answer differs by origin");
      }
    }
    const { headers } = await send(service, "/health");
    assert.equal(headers["access-control-allow-origin"], undefined);
  });

  test("a preflight is answered for listed origins", async (t) => {
    const service = await startFor(t, { settings: { BACKEND_CORS_ORIGINS: JSON.stringify([PAGE]) } });
    for (const path of ["/auth/login", "/users/me", "/nowhere"]) {
      const response = await send(service, path, { method: "OPTIONS", headers: preflight(PAGE) });
      assert.ok([200, 204].includes(response.status), String(response.status));
      assert.equal(response.text, "");
      assert.match(response.headers["x-request-id"], /^[0-9a-f]{32}$/);
      const cors = corsHeaders(response);
      assert.equal(cors["access-control-allow-origin"], PAGE);
      assert.equal(cors["access-control-allow-credentials"], "true");
      assert.deepEqual(listed(cors["access-control-allow-headers"]), ["authorization", "content-type", "x-edge-auth-bookmark", "x-request-id"]);
      assert.deepEqual(listed(cors["access-control-allow-methods"]), ["delete", "get", "patch", "post", "put"]);
      assert.ok(Number(cors["access-control-max-age"]) > 0);
    }
    const foreign = await send(service, "/auth/login", { method: "OPTIONS", headers: preflight(FOREIGN) });
    assert.equal(foreign.headers["access-control-allow-origin"], undefined);
  });

  test("any origin may call with `*`, but without credentials", async (t) => {
    const service = await startFor(t, { settings: { BACKEND_CORS_ORIGINS: '["*"]' } });
    for (const response of [
      await send(service, "/health", withOrigin(FOREIGN)),
      await me(service, "no.jwt.this", { Origin: FOREIGN }),
      await send(service, "/auth/login", { method: "OPTIONS", headers: preflight(FOREIGN) }),
    ]) {
      assert.equal(response.headers["access-control-allow-origin"], "*");
      assert.equal(response.headers["access-control-allow-credentials"], undefined);
    }
  });

  function preflight(origin) {
    const wanted = "authorization,content-type,x-request-id,x-edge-auth-bookmark";
    return { Origin: origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted };
  }
});

test("X-Request-ID is kept when it is well-formed and replaced when it is not", async (t) => {
  const service = await startFor(t);
  for (const id of ["a", "0f.A_b-9", "..", "x".repeat(128)]) {
    for (const path of ["/health", "/nowhere"]) {
      const response = await send(service, path, { headers: { "X-Request-ID": id } });
      assert.equal(response.headers["x-request-id"], id);
      assert.equal((await loggedOf(service, response)).at(-1).message, "Request finished");
    }
  }
  const bad = ["", " ", "a b", "a/b", 'a"b', "{}", "a,b", "a;b", "caf\u00e9", "x".repeat(129), ["one", "two"]];
  const given = await Promise.all(bad.map((id) => send(service, "/nowhere", { headers: { "X-Request-ID": id } })));
  for (const response of [...given, await send(service, "/nowhere")]) {
    assertEnvelope(response, 404, "NOT_FOUND");
    assert.match(response.headers["x-request-id"], /^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  }
  assert.equal(new Set(given.map(({ headers }) => headers["x-request-id"])).size, bad.length);
});

test("rotating the secret signs no user out, as long as the old one is named", async (t) => {
  const start = restarting(t);
  const first = await start();
  const [ada, ben] = [await signUp(first), await signUp(first)];
  assert.equal(decode(ada.access).header.kid, keyId(SECRET_KEY));

  const second = await start({ SECRET_KEY: NEW_SECRET, SECRET_KEY_PREVIOUS: SECRET_KEY });
  assertSuccess(await me(second, ada.access), 200);
  const refreshed = await refresh(second, ada.refresh);
  assertSuccess(refreshed, 200);
  const signedIn = await login(second, ada.user);
  for (const token of [refreshed, signedIn].flatMap(({ body }) => [body.access_token, body.refresh_token])) {
    assert.equal(decode(token).header.kid, keyId(NEW_SECRET));
  }
  assertSuccess(await me(second, refreshed.body.access_token), 200);

  const third = await start({ SECRET_KEY: NEW_SECRET });
  assertEnvelope(await me(third, ben.access), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await refresh(third, ben.refresh), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await logout(third, ben.refresh), 401, "AUTH_TOKEN_INVALID");
  assertSuccess(await me(third, refreshed.body.access_token), 200);
  assertSuccess(await refresh(third, refreshed.body.refresh_token), 200);
  assertSuccess(await login(third, ben.user), 200);
});

test("tokens of another issuer or audience are refused, even with the same secret", async (t) => {
  const start = restarting(t);
  const { access, refresh: token, user } = await signUp(await start());
  const service = await start({ JWT_ISSUER: "https://auth.mail.example", JWT_AUDIENCE: "shop" });
  assertEnvelope(await me(service, access), 401, "AUTH_TOKEN_INVALID");
  assertEnvelope(await refresh(service, token), 401, "AUTH_TOKEN_INVALID");
  const { body } = await login(service, user);
  const { iss, aud } = decode(body.access_token).claims;
  assert.deepEqual({ iss, aud }, { iss: "https://auth.mail.example", aud: "shop" });
  assertSuccess(await me(service, body.access_token), 200);
});

test("few PASSWORD_ITERATIONS cause one warning, not one per request", async (t) => {
  const isWarning = (line) => line.name === "app.settings";
  const service = await startFor(t, { settings: { PASSWORD_ITERATIONS: "99999" } });
  await Promise.all(Array.from({ length: 20 }, () => send(service, "/health")));
  await login(service, newUser());
  const [warning, ...more] = await logged(service, isWarning);
  assert.equal(warning.level, "WARNING");
  assert.match(warning.message, /PASSWORD_ITERATIONS/);
  assert.deepEqual(more, []);
  for (const settings of [{ PASSWORD_ITERATIONS: "100000" }, { PASSWORD_ITERATIONS: "1", PASSWORD_HASH: "argon2id" }]) {
    const enough = await startFor(t, { settings });
    await send(enough, "/health");
    assert.deepEqual(await logged(enough, isWarning), []);
  }
});

test("LOG_LEVEL WARNING silences INFO, and nothing else", async (t) => {
  const service = await startFor(t, { settings: { LOG_LEVEL: "WARNING" } });
  const { access } = await signUp(service);
  await me(service, access);
  const refused = await me(service, "no.jwt.this");
  assert.deepEqual((await loggedOf(service, refused)).map((line) => line.message), ["Request refused"]);
  const levels = (await logged(service)).map((line) => line.level);
  assert.deepEqual([...new Set(levels)], ["WARNING"]);
});

test("ACCESS_LOG finished leaves one access line per request", async (t) => {
  const service = await startFor(t, { settings: { ACCESS_LOG: "finished" } });
  const response = await send(service, "/health");
  assert.deepEqual((await loggedOf(service, response)).map((line) => line.message), ["Request finished"]);
});

test("lifetimes and the minimum password length follow their settings", async (t) => {
  const settings = { ACCESS_TOKEN_EXPIRE_MINUTES: "3", REFRESH_TOKEN_EXPIRE_DAYS: "2", PASSWORD_MIN_LENGTH: "12" };
  const service = await startFor(t, { settings });
  const { user, refresh: token } = await signUp(service);
  for (const { body } of [await login(service, user), await refresh(service, token)]) {
    assert.equal(body.expires_in, 180);
    const { claims } = decode(body.access_token);
    assert.equal(claims.exp - claims.iat, 180);
    const { claims: long } = decode(body.refresh_token);
    assert.equal(long.exp - long.iat, 2 * 86_400);
  }
  assertEnvelope(await register(service, { ...newUser(), password: "elevenchars" }), 422, "VALIDATION_ERROR");
  assertSuccess(await register(service, { ...newUser(), password: "twelve chars" }), 201);
});
