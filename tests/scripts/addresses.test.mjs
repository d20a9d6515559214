// `make addresses` on a local database with addresses in the spelling of earlier versions.
import assert from "node:assert/strict";
import { test } from "node:test";

import { login, newUser, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { assertDone, make, migratedFolders, serviceOn } from "./support/make.mjs";

const migrated = migratedFolders();

test("addresses on file get the spelling that is compared; accounts that would meet are reported and stay", async (t) => {
  const STATE = migrated(t);
  const service = await serviceOn(t, STATE);
  const rename = (id, email) => rows(service.db, "UPDATE users SET email = ?2 WHERE id = ?1", id, email);
  const addresses = async () => (await rows(service.db, "SELECT email FROM users ORDER BY id")).map(({ email }) => email);
  const people = [];
  for (const email of ["jörg@bücher.example", "ada@bücher.example", "ada@xn--bcher-kva.example", "plain@example.com"]) {
    const user = { ...newUser(), email: `u${people.length}@example.com` };
    const { id } = await signUp(service, user);
    await rename(id, email);
    people.push({ ...user, id, email });
  }
  const before = await addresses();
  assert.equal((await login(service, people[0])).status, 401, "not found under the new spelling");

  const collision = `One mailbox, several accounts, unchanged: users ${people[2].id}, ${people[1].id}.`;
  const counted = await make("addresses", { STATE });
  assert.match(counted.stdout, /^To be changed \(APPLY=yes\): 1 addresses/m);
  assert.ok(counted.stdout.includes(collision), counted.stdout);
  assert.deepEqual(await addresses(), before);

  assert.match((await make("addresses", { STATE, APPLY: "yes" })).stdout, /^Changed: 1 addresses/m);
  assert.deepEqual(await addresses(), ["jörg@xn--bcher-kva.example", ...before.slice(1)]);
  assert.equal((await login(service, people[0])).status, 200);
  await rename(people[1].id, "resolved@example.com");
  assert.match(assertDone(await make("addresses", { STATE, APPLY: "yes" })).join("\n"), /^Changed: 0 addresses/);
});
