// Clients generated from the description, in TypeScript and in Python, do a whole round against the deployed bundle on
// workerd: register, read the profile, refresh, sign out, be refused. A backend with Authlib uses the OAuth endpoints.
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { asUser } from "../e2e/support/client.mjs";
import { platformAdmin } from "../e2e/support/roles.mjs";
import { startService } from "../e2e/support/service.mjs";

const PYTHON = ".tools/python/bin";
const GENERATED = "tests/contract/generated";
const PUBLIC_URL = "https://auth.example";
const execute = promisify(execFile);
let service;

before(async () => (service = await startService({ settings: { ALGORITHM: "EdDSA", PUBLIC_URL } })));
after(() => service.stop());

test("openapi-typescript and openapi-fetch: type-checked, then run", async () => {
  await execute("openapi-typescript", ["openapi.yaml", "--output", `${GENERATED}/description.ts`]);
  await execute("tsc", ["--project", "tests/contract/tsconfig.json"]);
  await execute("node", ["--experimental-strip-types", "tests/contract/client.ts", service.origin]);
});

test("openapi-python-client: without a warning, then run", async () => {
  const config = ["--config", "tests/contract/python-client.yaml", "--meta", "none", "--fail-on-warning"];
  const output = ["--output-path", `${GENERATED}/python_client`, "--overwrite"];
  await execute(`${PYTHON}/openapi-python-client`, ["generate", "--path", "openapi.yaml", ...config, ...output]);
  await execute(`${PYTHON}/python`, ["-B", "tests/contract/client.py", service.origin]);
});

test("Authlib: discovery, client credentials, introspection, revocation", async () => {
  const admin = await platformAdmin(service);
  const account = { name: "Authlib", scopes: ["introspect"] };
  const { body } = await asUser(service, admin.access, "POST", "/admin/service-accounts", account);
  const backend = ["-B", "tests/contract/machine.py", service.origin, PUBLIC_URL, body.client_id, body.key];
  await execute(`${PYTHON}/python`, backend, { env: { ...process.env, AUTHLIB_INSECURE_TRANSPORT: "1" } });
});
