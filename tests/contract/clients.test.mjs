// Clients generated from the description, in TypeScript and in Python, do a whole round against
// the deployed bundle on workerd: register, read the profile, refresh, sign out, be refused.
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { startService } from "../e2e/support/service.mjs";

const PYTHON = ".tools/python/bin";
const GENERATED = "tests/contract/generated";
const execute = promisify(execFile);
let service;

before(async () => (service = await startService()));
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
