// edge-auth, a second deployment of it with other keys, and every example as a resource server of the first.
import { appoint, made } from "../../e2e/support/roles.mjs";
import { asUser, login, newUser, post, send, signUp } from "../../e2e/support/client.mjs";
import { startService } from "../../e2e/support/service.mjs";
import { stateFolder } from "../../e2e/support/start.mjs";
import { boundServer, boundWorker, NAMES, settingsFor, startServers } from "./servers.mjs";

const OPERATOR_KEY = "operator-key-of-resource-servers-0123456789";

/** All variants of the examples. */
export const SERVERS = ["hono with a service binding", ...NAMES];

/** Starts all of it; each part goes into `started`. The service account is made first, since a Worker starts with edge-auth. */
export async function startWorld(algorithm, started) {
  const settings = { ALGORITHM: algorithm, SIGNING_KEY_AHEAD_HOURS: "0", OPERATOR_KEY };
  const start = async (options) => {
    const service = await startService(options);
    started.push(service);
    return service;
  };
  const state = stateFolder();
  const first = await start({ state, settings });
  const account = await serviceAccount(first);
  await first.stop();
  const service = await start({ state, settings, workers: [boundWorker(account)] });
  const foreign = await start({ settings: { ...settings, SECRET_KEY: "another-deployment-0123456789abcdef" } });
  const servers = await startServers(settingsFor(service, account), started);
  return { service, foreign, account, servers: { ...servers, [SERVERS[0]]: await boundServer(service) } };
}

/** A service account with the scope that introspection needs. */
async function serviceAccount(service) {
  const user = newUser();
  await appoint(service, await signUp(service, user));
  const { access_token: access } = await made(login(service, user));
  return made(asUser(service, access, "POST", "/admin/service-accounts", { name: "Examples", scopes: ["introspect"] }));
}

/** An access token of that service account. */
export async function serviceToken({ service, account }) {
  const headers = {
    Authorization: `Basic ${btoa(`${account.client_id}:${account.key}`)}`,
    "Content-Type": "application/x-www-form-urlencoded",
  };
  const answer = await made(send(service, "/oauth/token", { method: "POST", headers, body: "grant_type=client_credentials" }));
  return answer.access_token;
}

/** Turns the signing keys. */
export function rotate(service) {
  return made(post(service, "/operator/signing-keys", { action: "rotate" }, { Authorization: `Bearer ${OPERATOR_KEY}` }));
}

/** The answer of a resource server in short: `{status, challenge, body}`. */
async function inShort(response) {
  const { status, headers, text } = await response;
  const isJson = headers["content-type"]?.startsWith("application/json") && text !== "";
  return { status, challenge: headers["www-authenticate"], retryAfter: headers["retry-after"], body: isJson ? JSON.parse(text) : undefined };
}

const authorization = (token) => (token === undefined ? {} : { Authorization: `Bearer ${token}` });
export const profile = (server, token, headers = authorization(token)) => inShort(send(server, "/profile", { headers }));
export const transfer = (server, token) => inShort(send(server, "/transfer", { method: "POST", headers: authorization(token) }));
