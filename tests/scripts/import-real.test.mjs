// The whole way: the database of the FastAPI service into a real service by `make import`, sign-ins with the old passwords, and
// by `make export` on into another one.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { login, newUser, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { assertDone, make, migratedFolders, ROOT, run, serviceOn } from "./support/make.mjs";

const migrated = migratedFolders();
const user = (number) => ({ email: `user${number}@example.com`, password: `password of user ${number}` });
const summaryOf = (lines) => lines.find((line) => /^(Created|Would be created):/.test(line));

/** A service on a database of its own, whose setting admits bcrypt of cost 10. */
async function start(t) {
  const STATE = migrated(t);
  const service = await serviceOn(t, STATE, { IMPORT_MAX_HASH_COST: "300000" });
  return { STATE, service, URL: service.origin };
}

test("users of the FastAPI service sign in with their old passwords, here and after the next move", async (t) => {
  const first = await start(t);
  const FROM = join(first.STATE, "app.db");
  const made = await run(join(ROOT, ".tools/moving/bin/python"), ["tests/moving/app.py", FROM, "20"], { cwd: ROOT });
  assert.equal(made.code, 0, made.stderr);
  const own = await signUp(first.service, newUser());
  const variables = { STATE: first.STATE, FROM, URL: first.URL };
  assert.match(summaryOf(assertDone(await make("import", { ...variables, DRY_RUN: "yes" }))), /^Would be created: 20\. /);
  assert.match(summaryOf(assertDone(await make("import", variables))), /^Created: 20\. .* Refused: 0\.$/);
  assert.match(summaryOf(assertDone(await make("import", variables))), /^Created: 0\. Existed already, unchanged: 20\. /);

  assert.equal((await login(first.service, user(1))).status, 200);
  assert.equal((await login(first.service, { ...user(2), password: "password of user 1" })).status, 401);
  assert.equal((await login(first.service, user(5))).status, 403, "disabled users stay disabled");
  const [{ password_hash: replaced }] = await rows(first.service.db, "SELECT password_hash FROM users WHERE email = ?1", user(1).email);
  assert.match(replaced, /^\$pbkdf2-sha256\$/);

  const TO = join(first.STATE, "users.ndjson");
  assertDone(await make("export", { STATE: first.STATE, TO }));
  const second = await start(t);
  const refused = await make("import", { STATE: second.STATE, FROM: TO, URL: second.URL });
  // The hashes that this test's cheap setting made are too fast for a real import.
  assert.match(summaryOf(refused.stdout.split("\n")), /^Created: 19\. .* Refused: 2\.$/);
  assert.equal((await login(second.service, user(3))).status, 200);
  assert.ok(own.id > 0);
});
