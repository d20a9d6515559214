// An OpenID provider for a laptop and for tests: npm `oidc-provider`, a certified implementation, with accounts of its own and
// the pages of pages.mjs. Everything is in memory. It knows nothing of edge-auth: a client is a list of redirect URIs.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

import Provider from "oidc-provider";
import { createMemoryAdapter } from "oidc-provider/lib/adapters/memory_adapter.js";

import { interactionPages, renderError } from "./pages.mjs";

const HOUR = 3600;
const KINDS = {
  RS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  EdDSA: ["ed25519", {}],
};
const METHODS = { basic: "client_secret_basic", post: "client_secret_post", none: "none" };

/** One private key for each algorithm, named after it. */
function newKeys() {
  return Object.entries(KINDS).map(([alg, [kind, options]]) => {
    const { privateKey } = generateKeyPairSync(kind, options);
    return { ...privateKey.export({ format: "jwk" }), alg, use: "sig", kid: `${alg}-${randomBytes(4).toString("hex")}` };
  });
}

/** The metadata of a client in the words of OpenID Connect Dynamic Client Registration. */
function metadata({ id, secret, redirectUris, auth = secret ? "basic" : "none", algorithm = "RS256", isNative = false }) {
  return {
    client_id: id,
    ...(secret && { client_secret: secret }),
    redirect_uris: redirectUris,
    application_type: isNative ? "native" : "web",
    token_endpoint_auth_method: METHODS[auth],
    id_token_signed_response_alg: algorithm,
  };
}

function settings({ accounts, clients, claimsInIdToken }) {
  const accountOf = (sub) => accounts.find((account) => account.sub === sub);
  return {
    adapter: createMemoryAdapter(),
    clients: clients.map(metadata),
    jwks: { keys: newKeys() },
    cookies: { keys: [randomBytes(32).toString("hex")] },
    scopes: ["openid", "email", "profile"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    // OpenID Connect Core 5.4 has these claims at the UserInfo endpoint. Most large providers also have them in the ID token.
    conformIdTokenClaims: !claimsInIdToken,
    features: { devInteractions: { enabled: false } },
    ttl: { AccessToken: HOUR, AuthorizationCode: 60, Grant: HOUR, IdToken: HOUR, Interaction: HOUR, Session: HOUR },
    findAccount: (_, sub) => accountOf(sub) && { accountId: sub, claims: () => ({ ...accountOf(sub) }) },
    renderError,
  };
}

/**
 * Starts a provider on this machine.
 * @param {object} options
 * @param {number} [options.port] default: a free one
 * @param {string} [options.hostname] of the issuer: a name of this machine
 * @param {{sub: string, email?: string, email_verified?: boolean, name?: string}[]} options.accounts the list itself is kept: a
 *   change of it is seen by the next sign-in
 * @param {{id: string, secret?: string, redirectUris: string[], auth?: "basic"|"post"|"none",
 *   algorithm?: "RS256"|"ES256"|"EdDSA", isNative?: boolean}[]} options.clients
 * @param {boolean} [options.claimsInIdToken] whether an ID token has address and name
 */
export async function startOpenIdProvider({ port = 0, hostname = "127.0.0.1", claimsInIdToken = true, ...options }) {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://${hostname}:${server.address().port}`;
  const provider = new Provider(issuer, settings({ claimsInIdToken, ...options }));
  const [pages, protocol] = [interactionPages(provider, options.accounts), provider.callback()];
  server.on("request", (request, response) => {
    const answer = request.url.startsWith("/interaction/") ? pages : protocol;
    answer(request, response);
  });
  return {
    issuer,
    provider,
    accounts: options.accounts,
    stop() {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}
