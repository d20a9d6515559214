// The users of the growth benchmark that use the second floor, in a database of any size: each signs in with its password and
// gets an authenticator app, a passkey, or a linked identity and an API key, by the service itself.
import { Authenticator } from "../../tests/e2e/support/authenticator.mjs";
import { ORIGIN } from "../../tests/e2e/support/factors.mjs";
import { totp } from "../../tests/e2e/support/totp.mjs";
import { emailOf, PASSWORD } from "../support/people.mjs";
import { EQUIPPED, stepOf } from "./rows.mjs";

const PROVIDER = "es256";

/** Sends a request and checks its status. The answer is the body, or where a redirect goes. */
export async function ask(target, method, path, { body, access, basic, status = 200, form } = {}) {
  const authorization = access ? `Bearer ${access}` : basic && `Basic ${btoa(basic)}`;
  const headers = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ...(typeof body === "string" && { "Content-Type": "application/x-ndjson" }),
    ...(typeof body === "object" && { "Content-Type": "application/json" }),
    ...(form && { "Content-Type": "application/x-www-form-urlencoded" }),
    ...(authorization && { Authorization: authorization }),
  };
  const text = form ? String(new URLSearchParams(form)) : typeof body === "object" ? JSON.stringify(body) : body;
  const response = await fetch(target.origin + path, { method, headers, body: text, redirect: "manual" });
  const answer = await response.text();
  if (response.status !== status) {
    throw new Error(`${method} ${path} of ${target.name}: ${response.status} ${answer}, not ${status}`);
  }
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  return isJson ? JSON.parse(answer) : response.headers.get("location");
}

export const signIn = (target, user, status) =>
  ask(target, "POST", "/auth/login", { body: { email: emailOf(user), password: PASSWORD }, status });

async function withApp(target, user) {
  const { access_token: access } = await signIn(target, user);
  const { secret } = await ask(target, "POST", "/users/me/mfa/totp", { body: {}, access, status: 201 });
  await ask(target, "POST", "/users/me/mfa/totp/confirm", { body: { code: totp(secret) }, access });
  return { user, secret, access };
}

async function withPasskey(target, user) {
  const { access_token: access } = await signIn(target, user);
  const authenticator = new Authenticator({ origin: ORIGIN });
  const options = await ask(target, "POST", "/users/me/passkeys/options", { body: {}, access });
  const credential = authenticator.create(options);
  await ask(target, "POST", "/users/me/passkeys", { body: { name: "Key", credential }, access, status: 201 });
  return { user, authenticator };
}

async function withKey(target, user, database, providers) {
  const { access_token: access } = await signIn(target, user);
  const body = { name: "Reports", permissions: ["universities:view"] };
  const { key } = await ask(target, "POST", "/users/me/api-keys", { body, access, status: 201 });
  const person = { sub: `person-${user}`, email: emailOf(user), email_verified: true };
  const sql = `INSERT INTO identities (id, user_id, provider, issuer, subject, created_at) VALUES (?1 * 4096 + 3, ?1, ?2, ?3, ?4, 1)`;
  await database.prepare(sql).bind(user, PROVIDER, providers.issuerOf(PROVIDER), person.sub).run();
  return { user, key, access, person };
}

/** A service account that may introspect tokens: its client id and its key. */
async function newClient(target, access) {
  const body = { name: "Gateway", scopes: ["introspect"] };
  const { id, client_id: client } = await ask(target, "POST", "/admin/service-accounts", { body, access, status: 201 });
  const { key } = await ask(target, "POST", `/admin/service-accounts/${id}/keys`, { access, status: 201 });
  return `${client}:${key}`;
}

/** The people of a target of this size: `{apps, passkeys, keys, admin, client}`. */
export async function equip(target, users, providers) {
  const database = await target.database();
  const numbers = Array.from({ length: EQUIPPED }, (_, index) => (index + 1) * stepOf(users));
  const all = async (third, make) => {
    const made = [];
    for (const user of numbers.filter((_, index) => index % 3 === third)) {
      made.push(await make(target, user, database, providers));
    }
    return made;
  };
  const { access_token: admin } = await signIn(target, 1);
  const client = await newClient(target, admin);
  return { apps: await all(0, withApp), passkeys: await all(1, withPasskey), keys: await all(2, withKey), admin, client };
}

/** A visit at the provider, back at the service: the flow and the code to exchange. */
export async function returned(target, providers, person) {
  const return_url = "https://app.example.com/signed-in?from=login";
  const started = await ask(target, "POST", `/auth/federated/${PROVIDER}`, { body: { return_url } });
  const path = providers.visit(PROVIDER, started.authorize_url, person);
  const location = await ask(target, "GET", path, { status: 303 });
  return { flow: started.flow, code: new URLSearchParams(new URL(location).hash.slice(1)).get("code") };
}

