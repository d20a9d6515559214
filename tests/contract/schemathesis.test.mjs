// Schemathesis against the deployed bundle on workerd: it generates requests from the description, valid and invalid
// ones, one by one and along the description's links, and checks every answer against it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

import { asUser, newUser, register } from "../e2e/support/client.mjs";
import { CLIENT_ID as AT_PROVIDER, federated, newPerson } from "../e2e/support/federation.mjs";
import { withMailbox } from "../e2e/support/mailbox.mjs";
import { startMockIssuer } from "../e2e/support/providers/mock-issuer.mjs";
import { startService } from "../e2e/support/service.mjs";

const OPERATOR_KEY = "contract-9d4c1b7e2f6a4835b0d7e8c1a2f3b4d5";
const PUBLIC_URL = "https://auth.example";
/** The return URL of the description's examples, where no server is. */
const RETURN_URL = "https://app.example.com/signed-in";

test("no answer deviates from the description", async (t) => {
  // The provider of the examples. Each visit is that of a new person, whose address is the hint.
  const provider = await startMockIssuer(t, "ES256");
  provider.claims = (hint) => newPerson(hint ? { email: hint } : {});
  const own = { OPERATOR_KEY, PASSWORD_ITERATIONS: "1", ALGORITHM: "EdDSA", PUBLIC_URL };
  const ofMail = { MAIL_PER_HOUR: "1000000", EMAIL_SIGN_IN: "on" };
  const ofProvider = { FEDERATION_RETURN_URLS: JSON.stringify([RETURN_URL]) };
  const settings = federated({ google: { issuer: provider.issuer } }, { ...own, ...ofMail, ...ofProvider });
  const service = await startService(withMailbox({ settings }));
  t.after(() => service.stop());
  // Keys need a proven address.
  await service.db.prepare("CREATE TRIGGER proven AFTER INSERT ON users BEGIN UPDATE users SET email_verified_at = 1 WHERE id = NEW.id; END").run();
  const signedUp = async () => (await register(service, newUser())).body;
  const [admin, user, refreshing, leaving] = [await signedUp(), await signedUp(), await signedUp(), await signedUp()];
  // Only direct access to the database makes the first administrator.
  const grant = "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (?1, 'PLATFORM_ADMIN', 1)";
  await service.db.prepare(grant).bind(admin.id).run();
  const scopes = ["introspect", "authz:check", "users:read", "users:import", "roles:grant", "audit:read", "client-address"];
  const account = { name: "Contract", scopes };
  const { body: client } = await asUser(service, admin.access_token, "POST", "/admin/service-accounts", account);
  const options = ["--config-file", "tests/contract/schemathesis.toml"];
  const env = {
    ...process.env,
    ACCESS_TOKEN: user.access_token,
    ADMIN_TOKEN: admin.access_token,
    ADMIN_ID: String(admin.id),
    TOKEN_TO_REFRESH: refreshing.refresh_token,
    TOKEN_TO_LOG_OUT: leaving.refresh_token,
    SERVICE_ID: String(client.id),
    CLIENT_ID: client.client_id,
    CLIENT_KEY: client.key,
    OPERATOR_KEY,
    ISSUER: provider.issuer,
    AT_PROVIDER,
    RETURN_URL,
    PYTHONPATH: "tests/contract",
    PYTHONDONTWRITEBYTECODE: "1",
  };
  const run = spawn(
    ".tools/python/bin/st",
    [...options, "run", "--checks", "all", "--url", service.origin, "public/openapi.json"],
    { env, stdio: "inherit" },
  );
  const [status] = await once(run, "exit");
  assert.equal(status, 0);
});
