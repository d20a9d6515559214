// Providers of identities that answer at once, on one server of this process: an OpenID provider for each algorithm, one that tells
// addresses at its UserInfo endpoint only, and GitHub. Their tokens are signed before the measurement.
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

import { CLIENT_ID } from "../../tests/e2e/support/federation.mjs";
import { signed } from "../../tests/e2e/support/providers/forged.mjs";

const KINDS = {
  RS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  EdDSA: ["ed25519", {}],
};
export const LEAN = "lean";
/** The algorithm of each OpenID provider, by its id. */
export const OPENID = { rs256: "RS256", es256: "ES256", eddsa: "EdDSA", [LEAN]: "ES256" };
const TOKEN_SECONDS = 600;

/** A key pair as JSON Web Keys: `{key, published}`. */
function newKey(alg) {
  const [kind, options] = KINDS[alg];
  const pair = generateKeyPairSync(kind, options);
  const [key, published] = [pair.privateKey, pair.publicKey].map((half) => ({ ...half.export({ format: "jwk" }), alg, kid: alg }));
  return { key, published: { ...published, use: "sig" } };
}

const described = (issuer) => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/keys`,
  userinfo_endpoint: `${issuer}/userinfo`,
  token_endpoint_auth_methods_supported: ["client_secret_basic"],
  authorization_response_iss_parameter_supported: true,
});

const GITHUB_API = "/github/api/v3";
const profileOf = ({ id, name }) => ({ login: "octocat", id, type: "User", name, email: null });
const emailsOf = ({ email }) => [{ email, primary: true, verified: true, visibility: "private" }];

/** Starts them: `{issuerOf(id), githubUrl, visit(id, url, person), idToken(id, nonce, person), stop}`. */
export async function startProviders() {
  const keys = Object.fromEntries(Object.keys(KINDS).map((alg) => [alg, newKey(alg)]));
  /** Answers by code and by access token, which are one text. */
  const answers = new Map();
  const server = createServer(async (request, response) => {
    const path = request.url.split("?")[0];
    const code = request.method === "POST" ? new URLSearchParams(await text(request)).get("code") : bearerOf(request);
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answerTo(path, answers.get(code))));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${server.address().port}`;
  const issuerOf = (id) => `${origin}/${id}`;

  function answerTo(path, of) {
    const [, id, endpoint] = path.split("/");
    const found = {
      ".well-known": () => described(issuerOf(id)),
      keys: () => ({ keys: [keys[OPENID[id]].published] }),
      token: () => of.tokens,
      login: () => of.tokens,
      userinfo: () => of.person,
    }[endpoint];
    return path === `${GITHUB_API}/user` ? profileOf(of.person) : path === `${GITHUB_API}/user/emails` ? emailsOf(of.person) : found();
  }

  function idToken(id, nonce, person) {
    const { key } = keys[OPENID[id]];
    const iat = Math.floor(Date.now() / 1000);
    const claims = { iss: issuerOf(id), aud: CLIENT_ID, nonce, iat, exp: iat + TOKEN_SECONDS };
    const told = id === LEAN ? { sub: person.sub } : person;
    return signed({ alg: key.alg, kid: key.kid, typ: "JWT" }, { ...claims, ...told }, key);
  }

  /** The path to which the provider sends a browser that comes with this URL. The person has a `sub`, or for GitHub an `id`. */
  function visit(id, url, person) {
    const asked = new URL(url).searchParams;
    const code = `code-${answers.size}`;
    const own = OPENID[id] && { id_token: idToken(id, asked.get("nonce"), person) };
    answers.set(code, { person, tokens: { access_token: code, token_type: "bearer", scope: "user:email", ...own } });
    const query = new URLSearchParams({ code, state: asked.get("state"), ...(OPENID[id] && { iss: issuerOf(id) }) });
    return `${new URL(asked.get("redirect_uri")).pathname}?${query}`;
  }

  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { issuerOf, githubUrl: `${origin}/github`, visit, idToken, stop };
}

const bearerOf = ({ headers: { authorization = "" } }) => authorization.replace(/^bearer /i, "");
