// edge-auth, a second deployment of it with other keys, and every example as a resource server of the first.
import { appoint, made } from "../../e2e/support/roles.mjs";
import { asUser, login, newUser, post, send, signUp } from "../../e2e/support/client.mjs";
import { startService } from "../../e2e/support/service.mjs";
import { stateFolder } from "../../e2e/support/start.mjs";
import { boundServer, boundWorker, NAMES, settingsFor, startServers } from "./servers.mjs";

const OPERATOR_KEY = "operator-key-of-the-examples-0123456789";

/** All variants of the examples. */
export const SERVERS = ["hono with a service binding", ...NAMES];

/** Starts all of it. The service account is made first, since the Worker with a binding starts with edge-auth. */
export async function startWorld(algorithm) {
  const settings = { ALGORITHM: algorithm, SIGNING_KEY_AHEAD_HOURS: "0", OPERATOR_KEY };
  const state = stateFolder();
  const first = await startService({ state, settings });
  const account = await serviceAccount(first);
  await first.stop();
  const service = await startService({ state, settings, workers: [boundWorker(account)] });
  const foreign = await startService({ settings: { ...settings, SECRET_KEY: "another-secret-of-another-deployment" } });
  const servers = await startServers(settingsFor(service, account));
  servers[SERVERS[0]] = await boundServer(service);
  const stop = () => Promise.all([...Object.values(servers), service, foreign].map((started) => started.stop()));
  return { service, foreign, servers, account, stop };
}

/** A service account with the scope that introspection needs. */
async function serviceAccount(service) {
  const user = newUser();
  await appoint(service, await signUp(service, user));
  const { access_token: access } = await made(login(service, user));
  return made(asUser(service, access, "POST", "/admin/service-accounts", { name: "Examples", scopes: ["introspect"] }));
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
