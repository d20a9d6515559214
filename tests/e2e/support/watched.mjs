// A service under watch: every secret sent to it or returned by it is recorded. When it is stopped,
// its whole log is searched for each of them, and each line is checked for its format. So every test of an attack
// also proves that the attack leaves nothing in the log that a reader could use.
import assert from "node:assert/strict";

import { rows } from "./database.mjs";
import { assertLogLine, loggedText } from "./logs.mjs";
import { SECRET_KEY, startService } from "./service.mjs";

/** Members of bodies, in both directions, whose values must not be logged. */
const SECRET_MEMBERS = ["email", "password", "current_password", "new_password", "refresh_token", "access_token"];
/** A shorter text occurs in any log by chance. */
const MIN_LENGTH = 7;

/** As `startService`; `end()` searches the log and stops the service. */
export async function startWatched(options) {
  const service = await startService(options);
  const secrets = new Set([SECRET_KEY]);
  service.witness = (exchange) => secretsOf(exchange).forEach((secret) => secrets.add(secret));
  service.secrets = secrets;
  service.end = async () => {
    try {
      await assertDiscreet(service);
    } finally {
      await service.stop();
    }
  };
  return service;
}

/** A watched service of the test `t`, ended when it is over. */
export async function watchedFor(t, options) {
  const service = await startWatched(options);
  t.after(() => service.end());
  return service;
}

function secretsOf({ path, headers, body, response }) {
  const bodies = [parsed(body), response.body].filter((value) => value !== null && typeof value === "object");
  const members = bodies.flatMap((value) => SECRET_MEMBERS.map((name) => value[name]));
  const [scheme, token] = String(headers.Authorization ?? "").split(" ");
  const [, query] = path.split("?");
  const tokens = scheme === "Bearer" ? [token] : [];
  return [...members, ...tokens, query].flatMap((secret) => (typeof secret === "string" ? spellings(secret) : []));
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** The spellings in which a secret may be logged by mistake: as sent, trimmed, in lower case, and a token's parts. */
function spellings(secret) {
  const whole = [secret, secret.trim(), secret.trim().toLowerCase()];
  const parts = secret.startsWith("eyJ") ? secret.split(".").slice(1) : [];
  return [...whole, ...parts].filter((text) => text.length >= MIN_LENGTH);
}

/** No secret of the whole run is in the log, and every line has the format of the contract. */
async function assertDiscreet(service) {
  const lines = await loggedText(service);
  lines.forEach(assertLogLine);
  const hashes = await rows(service.db, "SELECT password_hash FROM users WHERE password_hash <> ''");
  const hashed = hashes.flatMap(({ password_hash: hash }) => hash.split("$").slice(-2));
  // Every value once: a run has thousands of secrets, and its log repeats itself.
  const values = new Set(lines.flatMap((line) => Object.values(JSON.parse(line)).map(String)));
  const text = [...values].join("\n");
  assert.ok(text.includes("Request finished"), "the log of the run is there");
  for (const secret of [...service.secrets, ...hashed]) {
    assert.ok(!text.includes(secret), `logged: ${secret}`);
  }
}
