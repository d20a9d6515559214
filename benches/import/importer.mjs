// The client of the benchmarks of imports: a service account with its key, lines, and requests. One connection, kept alive.
import { Agent, request } from "node:http";
import { randomBytes } from "node:crypto";

import { asUser, signUp } from "../../tests/e2e/support/client.mjs";
import { rows } from "../../tests/e2e/support/database.mjs";
import { decode, sign } from "../../tests/e2e/support/tokens.mjs";

const PATH = "/admin/users/import";
const LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const TOKEN_SECONDS = 600;

/** Makes a platform administrator, and by it a service account: `{key, admin}`. */
export async function newImporter(target) {
  const admin = await signUp(target);
  const appoint = "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (?1, 'PLATFORM_ADMIN', ?2)";
  await rows(await target.database(), appoint, admin.id, Date.now());
  const account = { name: "Importer", scopes: ["users:import"] };
  const { status, text, body } = await asUser(target, admin.access, "POST", "/admin/service-accounts", account);
  if (status !== 201) {
    throw new Error(`${status} ${text}`);
  }
  return { key: body.key, admin };
}

/** An access token of the same session that was issued just now. */
export function renewed(token) {
  const { header, claims } = decode(token);
  const now = Math.floor(Date.now() / 1000);
  return sign(header, { ...claims, iat: now, exp: now + TOKEN_SECONDS });
}

/** Bytes in bcrypt's alphabet, without padding. */
function bcryptLetters(bytes) {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{1,6}/g).map((part) => LETTERS[Number.parseInt(part.padEnd(6, "0"), 2)]).join("");
}

/** A well-formed bcrypt hash of no known password. */
export const anyBcrypt = (cost) => `$2b$${String(cost).padStart(2, "0")}$${bcryptLetters(randomBytes(16))}${bcryptLetters(randomBytes(23))}`;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Sends one request with these lines. Returns the number of each outcome. */
export async function importLines({ origin }, key, lines) {
  const body = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/x-ndjson", "Content-Length": body.length };
  const { status, text } = await new Promise((resolve, reject) => {
    const outgoing = request(new URL(PATH, origin), { method: "POST", agent, headers }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (piece) => (text += piece));
      incoming.on("error", reject).on("end", () => resolve({ status: incoming.statusCode, text }));
    });
    outgoing.on("error", reject).end(body);
  });
  if (status !== 200) {
    throw new Error(`${status} ${text}`);
  }
  const outcomes = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const odd = outcomes.find(({ outcome }) => outcome !== "created" && outcome !== "exists");
  if (odd) {
    throw new Error(JSON.stringify(odd));
  }
  return Object.fromEntries(Object.entries(Object.groupBy(outcomes, ({ outcome }) => outcome)).map(([name, { length }]) => [name, length]));
}
