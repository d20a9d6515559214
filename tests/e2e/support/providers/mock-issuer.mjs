// An OpenID provider that can break every rule: npm `oauth2-mock-server` behind a server that can fail (faulty-server.mjs).
// There are no accounts and no pages: the test says which claims the next ID tokens have.
import { once } from "node:events";
import { createServer } from "node:http";

import { JWKStore, OAuth2Issuer, OAuth2Service } from "oauth2-mock-server";

import { startFaultyServer } from "./faulty-server.mjs";
import { signed } from "./forged.mjs";

const ENDPOINTS = {
  "/.well-known/openid-configuration": "discovery",
  "/jwks": "jwks",
  "/token": "token",
  "/authorize": "authorize",
  "/userinfo": "userinfo",
};

/** The mock's own key store cannot forget a key. */
class Issuer extends OAuth2Issuer {
  ring = new JWKStore();

  get keys() {
    return this.ring;
  }
}

/** The mock refuses an unknown code or verifier in another shape than RFC 6749, section 5.2. */
function inWordsOfOAuth(answer) {
  const isProblem = answer.headers["content-type"].startsWith("application/problem+json");
  const headers = { "content-type": "application/json" };
  return isProblem ? { status: 400, headers, body: '{"error":"invalid_grant"}' } : answer;
}

/** The mock behind its own socket, which only the faulty server calls. */
async function startInner(service) {
  const server = createServer(service.requestHandler).listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    async respond({ method, path, headers, body }) {
      const { host, connection, "content-length": length, ...others } = headers;
      const options = { method, headers: others, redirect: "manual", ...(method === "POST" && { body }) };
      const response = await fetch(origin + path, options);
      const [type, location] = ["content-type", "location"].map((name) => response.headers.get(name));
      const shown = { "content-type": type ?? "text/plain", ...(location && { location }) };
      return inWordsOfOAuth({ status: response.status, headers: shown, body: await response.text() });
    },
    stop() {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

/** The mock announces neither keys of other kinds nor RFC 9207. */
const completeMetadata = (algorithm, metadata) => ({
  ...metadata,
  token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
  id_token_signing_alg_values_supported: [algorithm],
  authorization_response_iss_parameter_supported: true,
});

export class MockIssuer {
  #issuer;
  #service;
  #server;
  #inner;
  #key;
  /** Claims of the ID tokens to come, or a function of the `login_hint` of the last visit. */
  claims = { sub: "mock-subject", email: "mock@example.com", email_verified: true };
  /** Replaces an ID token: `(claims, key) => text`. */
  forge;
  /** Changes the metadata: `(metadata) => metadata`. */
  metadata = (metadata) => metadata;
  /** Changes the key set: `(keySet) => keySet`. */
  keySet = (keySet) => keySet;
  /** Changes the parsed answer of the token endpoint, or its status: `({body, statusCode}) => void`. */
  tokenAnswer = () => {};
  /** Claims at the UserInfo endpoint, or a text in place of them, which is sent as a JWT. */
  userInfo = {};
  #accessToken;
  #hint;

  /** @param {string} [algorithm] RS256, ES256 or EdDSA */
  static async start(algorithm = "RS256") {
    const mock = new MockIssuer();
    mock.algorithm = algorithm;
    mock.#issuer = new Issuer(false);
    mock.#service = new OAuth2Service(mock.#issuer);
    mock.#inner = await startInner(mock.#service);
    mock.#server = await startFaultyServer((request) => mock.#respond(request), (path) => ENDPOINTS[path] ?? "other");
    mock.#issuer.url = mock.#server.origin;
    mock.#hook();
    await mock.rotate();
    return mock;
  }

  async #respond(request) {
    const endpoint = ENDPOINTS[request.url.pathname];
    if (endpoint === "userinfo") {
      return this.#tell(request);
    }
    if (endpoint === "authorize") {
      this.#hint = request.url.searchParams.get("login_hint");
    }
    const answer = await this.#inner.respond(request);
    const isKeySet = endpoint === "jwks";
    return isKeySet ? { ...answer, body: JSON.stringify(this.keySet(JSON.parse(answer.body))) } : answer;
  }

  /** The mock's own endpoint looks at no token. Only the one that was issued last opens this one. */
  #tell({ method, headers }) {
    if (method !== "GET" || headers.authorization !== `Bearer ${this.#accessToken}`) {
      return { status: 401, headers: { "www-authenticate": 'Bearer error="invalid_token"' }, body: "" };
    }
    const isText = typeof this.userInfo === "string";
    const type = isText ? "application/jwt" : "application/json";
    return { headers: { "content-type": type }, body: isText ? this.userInfo : JSON.stringify(this.userInfo) };
  }

  #hook() {
    // It is called for the access token too, which no client reads.
    this.#service.on("beforeTokenSigning", ({ payload }) => {
      Object.assign(payload, typeof this.claims === "function" ? this.claims(this.#hint) : this.claims);
    });
    this.#service.on("beforeWellKnownOpenIdConfiguration", (answer) => {
      answer.body = this.metadata(completeMetadata(this.algorithm, answer.body));
    });
    this.#service.on("beforeResponse", (answer) => {
      if (this.forge && answer.body.id_token) {
        answer.body.id_token = this.forge(claimsOf(answer.body.id_token), this.#key);
      }
      this.tokenAnswer(answer);
      this.#accessToken = answer.body.access_token;
    });
  }

  get issuer() {
    return this.#server.origin;
  }

  /** A new key in place of all others, under a new name, unless one is given. */
  async rotate(kid) {
    this.#issuer.ring = new JWKStore();
    this.#key = await this.#issuer.ring.generate(this.algorithm, { kid });
  }

  /**
   * The URL of the callback to which the provider sends a browser that comes with `url`. `changes` are parameters of it; one
   * that is undefined is left out.
   */
  async authorize(url, changes = {}) {
    const response = await fetch(url, { redirect: "manual" });
    const callback = new URL(response.headers.get("location"));
    for (const [name, value] of Object.entries({ iss: this.issuer, ...changes })) {
      value === undefined ? callback.searchParams.delete(name) : callback.searchParams.set(name, value);
    }
    return callback.href;
  }

  /** An ID token as a native app gets it from its provider. */
  idToken({ aud, nonce, ...claims }) {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: this.issuer, iat: now, exp: now + 600, aud, nonce, ...this.claims, ...claims };
    return (this.forge ?? signedRightly)(all, this.#key);
  }

  count = (endpoint) => this.#server.count(endpoint);
  fail = (endpoint, name) => this.#server.fail(endpoint, name);
  heal = () => this.#server.heal();
  /** Nothing listens at the address any more, until `resume`. */
  pause = () => this.#server.stop();
  resume = () => this.#server.start();

  async stop() {
    await this.#server.stop();
    await this.#inner.stop();
  }
}

const claimsOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
const signedRightly = (claims, key) => signed({ alg: key.alg, kid: key.kid, typ: "JWT" }, claims, key);

/** One of the test `t`. */
export async function startMockIssuer(t, algorithm) {
  const mock = await MockIssuer.start(algorithm);
  t.after(() => mock.stop());
  return mock;
}
