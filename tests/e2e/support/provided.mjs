// A service with certified OpenID providers, and people with accounts there.
import { accountOf, clientAt, federated, NATIVE_ID, newPerson, signInAt } from "./federation.mjs";
import { Browser, startProvider } from "./providers/oidc-provider.mjs";
import { startService } from "./service.mjs";

/** An app of the same owner: a client of each provider. */
export const APP = { id: NATIVE_ID, redirectUris: ["com.example.app:/callback"], isNative: true };

/**
 * Starts a service and its providers. `kinds`: for each id, `client` for the provider, and `entry` for the settings.
 * `person(changes, ids)` gives a new person with accounts at all of them, or at `ids`: `{sub, email, …, at}`, where `at(id)` is
 * its way from an `authorize_url` to the callback. `account(id)` is the account of a first sign-in with such a person.
 */
export async function startProvided({ kinds = { acme: {} }, settings = {}, begin = startService, ...options } = {}) {
  const providers = {};
  const entries = {};
  for (const [id, { client, entry, ...more }] of Object.entries(kinds)) {
    const registered = clientAt(id, client);
    providers[id] = await startProvider(undefined, { accounts: [], clients: [registered, APP], ...more });
    entries[id] = { issuer: providers[id].issuer, audiences: [NATIVE_ID], secret: registered.secret ?? null, ...entry };
  }
  const all = federated(entries, { PASSWORD_ITERATIONS: "1", ...settings });
  const service = await begin({ settings: all, ...options });
  const person = (changes = {}, ids = Object.keys(kinds)) => {
    const account = newPerson(changes);
    ids.forEach((id) => providers[id].accounts.push(account));
    const browser = new Browser();
    const at = (id) => (url) => providers[id].authorize(url, { account: account.sub, browser });
    return { ...account, account, at };
  };
  const account = async (id, changes) => {
    const visitor = person(changes);
    return { ...visitor, ...(await accountOf(await signInAt(service, id, visitor.at(id)))) };
  };
  const stop = async () => {
    await (service.end ?? service.stop).call(service);
    await Promise.all(Object.values(providers).map((provider) => provider.stop()));
  };
  return { service, settings: all, providers, person, account, stop };
}

/** One of the test `t`. */
export async function providedFor(t, options) {
  const scene = await startProvided(options);
  t.after(() => scene.stop());
  return scene;
}
