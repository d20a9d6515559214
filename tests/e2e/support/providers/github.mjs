// GitHub, as far as a sign-in goes, in the shapes of its documentation: "Authorizing OAuth apps", "Troubleshooting OAuth app
// access token request errors", and the REST API for users and their addresses. It is a GitHub Enterprise Server.
import { createHash, randomBytes } from "node:crypto";

import { startFaultyServer } from "./faulty-server.mjs";

const API = "/api/v3";
const ENDPOINTS = {
  "/login/oauth/authorize": "authorize",
  "/login/oauth/access_token": "token",
  [`${API}/user`]: "user",
  [`${API}/user/emails`]: "emails",
};
const DOCUMENTS = "https://docs.github.com/rest";
const TROUBLE = "/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/";
const REFUSALS = {
  incorrect_client_credentials: "The client_id and/or client_secret passed are incorrect.",
  redirect_uri_mismatch: "The redirect_uri MUST match the registered callback URL for this application.",
  bad_verification_code: "The code passed is incorrect or expired.",
  unverified_user_email: "The user must have a verified primary email.",
};

const json = (status, value, headers = {}) => ({
  status,
  headers: { "Content-Type": "application/json; charset=utf-8", ...headers },
  body: JSON.stringify(value),
});
const refusal = (error) => {
  const anchor = error.replaceAll("_", "-");
  return { error, error_description: REFUSALS[error], error_uri: `${TROUBLE}#${anchor}` };
};
const challengeOf = (verifier) => createHash("sha256").update(verifier).digest("base64url");

/** An account: the login name may change, the numeric id does not. */
export function gitHubUser(changes = {}) {
  const email = changes.email ?? "octocat@example.com";
  return {
    id: 583231,
    login: "octocat",
    name: "The Octocat",
    emails: [{ email, primary: true, verified: true, visibility: "private" }],
    ...changes,
  };
}

export class GitHub {
  #server;
  #codes = new Map();
  #tokens = new Map();
  /** The person that signs in next. */
  user = gitHubUser();
  /** The name of a refusal of every code; none by default. */
  refusal;
  /** The scopes of a token; by default those that the request asked for. */
  scope;

  static async start(client) {
    const github = new GitHub();
    github.client = client;
    const endpointOf = (path) => ENDPOINTS[path] ?? "other";
    github.#server = await startFaultyServer((request) => github.#respond(request, endpointOf), endpointOf);
    return github;
  }

  get url() {
    return this.#server.origin;
  }

  async #respond(request, endpointOf) {
    const endpoint = endpointOf(request.url.pathname);
    const method = endpoint === "token" ? "POST" : "GET";
    if (endpoint === "other" || request.method !== method) {
      return json(404, { message: "Not Found", documentation_url: DOCUMENTS, status: "404" });
    }
    const own = { authorize: () => this.#authorize(request), token: () => this.#token(request) };
    return own[endpoint]?.() ?? this.#api(endpoint, request);
  }

  /** As if the person had allowed the access already. */
  #authorize({ url: { searchParams: asked } }) {
    const { id, redirectUri } = this.client;
    if (asked.get("client_id") !== id) {
      return { status: 404, headers: { "Content-Type": "text/html" }, body: "Not Found" };
    }
    const callback = new URL(redirectUri);
    if (asked.get("redirect_uri") !== redirectUri) {
      callback.search = new URLSearchParams({ ...refusal("redirect_uri_mismatch"), state: asked.get("state") });
      return { status: 302, headers: { Location: callback.href } };
    }
    const code = randomBytes(10).toString("hex");
    const [challenge, scope] = ["code_challenge", "scope"].map((name) => asked.get(name));
    this.#codes.set(code, { challenge, scope: this.scope ?? scope ?? "", user: this.user });
    callback.search = new URLSearchParams({ code, state: asked.get("state") });
    return { status: 302, headers: { Location: callback.href } };
  }

  /** Errors have the status 200. Without `Accept: application/json` the answer is a form. */
  #token({ headers, body }) {
    const answer = this.#exchange(new URLSearchParams(body));
    const isJson = (headers.accept ?? "").includes("application/json");
    const form = { "Content-Type": "application/x-www-form-urlencoded; charset=utf-8" };
    return isJson ? json(200, answer) : { status: 200, headers: form, body: new URLSearchParams(answer).toString() };
  }

  #exchange(form) {
    const { id, secret, redirectUri } = this.client;
    if (form.get("client_id") !== id || form.get("client_secret") !== secret) {
      return refusal("incorrect_client_credentials");
    }
    const code = this.#codes.get(form.get("code"));
    this.#codes.delete(form.get("code"));
    const isProven = !code?.challenge || challengeOf(form.get("code_verifier") ?? "") === code.challenge;
    if (!code || !isProven || this.refusal) {
      return refusal(this.refusal ?? "bad_verification_code");
    }
    if (form.has("redirect_uri") && form.get("redirect_uri") !== redirectUri) {
      return refusal("redirect_uri_mismatch");
    }
    const token = `gho_${randomBytes(18).toString("hex")}`;
    this.#tokens.set(token, code);
    return { access_token: token, scope: code.scope.replaceAll(" ", ","), token_type: "bearer" };
  }

  #api(endpoint, { headers, url }) {
    if (!headers["user-agent"]) {
      const body = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
      return { status: 403, headers: { "Content-Type": "text/html" }, body };
    }
    const [scheme, token] = (headers.authorization ?? "").split(" ");
    const grant = this.#tokens.get(token);
    if (scheme !== "Bearer" || !grant) {
      const message = token ? "Bad credentials" : "Requires authentication";
      return json(401, { message, documentation_url: DOCUMENTS, status: "401" });
    }
    return endpoint === "user" ? json(200, profile(grant.user)) : emails(grant, url);
  }

  /** The URL of the callback to which GitHub sends a browser. A person that cancels is sent there too, with an error. */
  async authorize(url, { isRefusing = false } = {}) {
    const response = await fetch(url, { redirect: "manual" });
    const callback = new URL(response.headers.get("location"));
    if (isRefusing) {
      const error = { error: "access_denied", error_description: "The user has denied your application access." };
      callback.search = new URLSearchParams({ ...error, state: callback.searchParams.get("state") });
    }
    return callback.href;
  }

  count = (endpoint) => this.#server.count(endpoint);
  fail = (endpoint, name) => this.#server.fail(endpoint, name);
  heal = () => this.#server.heal();
  stop = () => this.#server.stop();
}

/** `email` is the address that the person shows to the public: usually none, and not necessarily a verified one. */
function profile({ id, login, name, publicEmail = null }) {
  const nodeId = Buffer.from(`04:User${id}`).toString("base64");
  return { login, id, node_id: nodeId, type: "User", site_admin: false, name, email: publicEmail };
}

/** A list in pages of 30, or of `per_page`, at most 100. A token without the scope sees no list at all. */
function emails({ scope, user }, url) {
  if (!/\buser(:email)?\b/.test(scope)) {
    return json(404, { message: "Not Found", documentation_url: DOCUMENTS, status: "404" });
  }
  const size = Math.min(Number(url.searchParams.get("per_page") ?? 30), 100);
  const page = Number(url.searchParams.get("page") ?? 1);
  const next = page * size < user.emails.length && `<${url.pathname}?page=${page + 1}&per_page=${size}>; rel="next"`;
  return json(200, user.emails.slice((page - 1) * size, page * size), next ? { Link: next } : {});
}

/** A GitHub Enterprise Server of the test `t`, with one OAuth app: `{id, secret, redirectUri}`. */
export async function startGitHub(t, client) {
  const github = await GitHub.start(client);
  t.after(() => github.stop());
  return github;
}
