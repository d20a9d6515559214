// Shared by the tests of /account with other providers: the service, with npm `oidc-provider` twice and a GitHub Enterprise Server
// beside it, and the steps of a person at the pages of the provider. The service is at localhost, the providers are at 127.0.0.1:
// another site.
import { rows } from "../../e2e/support/database.mjs";
import { until } from "../../e2e/support/faults.mjs";
import { mails } from "../../e2e/support/mailbox.mjs";
import { startGitHub } from "../../e2e/support/providers/github.mjs";
import { startProvider } from "../../e2e/support/providers/oidc-provider.mjs";
import { atView, button, openAccount, startPages } from "./account.mjs";
import { freePort } from "./authenticator.mjs";

const SECRET = "secret-of-the-client-7d1c22";
const ID = "edge-auth";

/** The client of a provider, at which the service is known. */
const client = (origin, base, id) => ({ id: ID, secret: SECRET, redirectUris: [`${origin}${base}/auth/federated/${id}/callback`] });

/** The settings of the providers. Zenith may speak for its own domain. */
const federation = (acme, zenith, github) => JSON.stringify([
  { id: "acme", issuer: acme.issuer, name: "Acme" },
  { id: "zenith", issuer: zenith.issuer, name: "Zenith", authoritative_domains: ["zenith.example"] },
  { id: "github", url: github.url },
]);

/** The settings of the client at some providers. */
export const credentialsAt = (...ids) => Object.fromEntries(
  ids.flatMap((id) => [
    [`FEDERATION_${id}_CLIENT_ID`, ID],
    [`FEDERATION_${id}_CLIENT_SECRET`, SECRET],
  ]),
);

/** Starts all of it: `{service, acme, zenith, github, stop}`. `settings` may be a function of those that are made here. */
export async function startFederation({ settings = {}, base = "", ...options } = {}) {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const stops = [];
  const later = { after: (stop) => stops.push(stop) };
  const [acme, zenith] = await Promise.all(["acme", "zenith"].map((id) => startOpenId(later, origin, base, id)));
  const github = await startGitHub(later, gitHubApp(client(origin, base, "github")));
  const own = { FEDERATION: federation(acme, zenith, github), FEDERATION_ALLOW_PRIVATE: "on", PUBLIC_URL: origin + base };
  const given = typeof settings === "function" ? settings(own) : settings;
  const all = { ...own, ...credentialsAt("ACME", "ZENITH", "GITHUB"), ...(base && { BASE_PATH: base }), ...given };
  const service = await startPages({ port, settings: all, ...options });
  const stop = async () => {
    await service.stop();
    await Promise.all(stops.map((stopOne) => stopOne()));
  };
  return { service, acme, zenith, github, base, stop };
}

const startOpenId = (t, origin, base, id) => startProvider(t, { accounts: [], clients: [client(origin, base, id)] });
const gitHubApp = ({ id, secret, redirectUris: [redirectUri] }) => ({ id, secret, redirectUri });

let people = 0;

/** A new person with an account at a provider: `{sub, email, email_verified, name}`. */
export function newPerson(provider, changes = {}) {
  people += 1;
  const person = { sub: `subject-${people}`, email: `person-${people}@mail.example`, email_verified: true, name: `Person ${people}`, ...changes };
  provider.accounts.push(person);
  return person;
}

/** Opens /account for visits of the providers. */
export function open(t, { service, acme, zenith, github, base }, { expected = [], ...options } = {}) {
  const origins = [acme.issuer, zenith.issuer, github.url].map((url) => url.replaceAll(".", "\\."));
  const allowed = new RegExp(`^request: (${origins.join("|")})/`);
  // A browser asks each site for its icon.
  return openAccount(t, service, { path: `${base}/account`, expected: [404, ...expected], allowed, ...options });
}

const answer = (page, name) => page.locator(`button[name=answer][value=${name}]`);

/** The field of the provider for the account. */
export const accountField = (page) => page.locator("input[name=account]");

/** Answers the question of a provider for the account. */
export async function chooseAccount(page, { email, sub }) {
  await accountField(page).fill(email ?? sub);
  await answer(page, "login").click();
}

/** Signs in at the pages of a provider that this browser visits for the first time. */
export async function signInThere(page, person) {
  await chooseAccount(page, person);
  await answer(page, "consent").click();
}

export const refuseThere = (page) => answer(page, "cancel").click();

/** Goes to a provider by a button of the page, and comes back as this person. */
export async function visit(page, name, person) {
  await button(page, name).click();
  await signInThere(page, person);
}

/** Makes an account by a provider. The overview appears. */
export async function signUpBy(page, name, person) {
  await visit(page, `Continue with ${name}`, person);
  await atView(page, "Overview");
}

export async function signOut(page) {
  await button(page, "Sign out").click();
  await atView(page, "Sign in");
}

/** The code of the newest mail to an address, without the codes of before. */
export async function mailedCode(service, email, count = 1) {
  const codes = async () => (await mails(service)).filter(({ to }) => to === email).map(codeOf).filter(Boolean);
  const found = await until(`mailed code ${count} to ${email}`, async () => {
    const all = await codes();
    return all.length >= count && all;
  });
  return found.at(-1);
}

const codeOf = ({ text }) => text.replace(/https?:\S+/g, "").match(/\b\d{4}[ -]?\d{4}\b/)?.[0];

/** The sessions of a user began an hour ago; the page gets a token that says so with its next load. */
export const ageSignIns = ({ db }, email) =>
  rows(db, "UPDATE sessions SET created_at = created_at - 3600000 WHERE user_id = (SELECT id FROM users WHERE email = ?1)", email);

/** The address of a user is proven, as after a mail. */
export const proveAddress = ({ db }, email) => rows(db, "UPDATE users SET email_verified_at = created_at WHERE email = ?1", email);

/** The identities of a user: `["acme subject-1"]`. */
export async function identitiesOf({ db }, email) {
  const sql = "SELECT provider, subject FROM identities WHERE user_id = (SELECT id FROM users WHERE email = ?1) ORDER BY id";
  return (await rows(db, sql, email)).map(({ provider, subject }) => `${provider} ${subject}`);
}
