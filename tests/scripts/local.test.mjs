// The preparations of `make dev` on a developer's machine: the secret, and a local database wherever STATE says.
import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { me, signUp } from "../e2e/support/client.mjs";
import { assertSuccess } from "../e2e/support/envelope.mjs";
import { startFor, stateFolder } from "../e2e/support/start.mjs";
import { assertDone, assertGaveUp, environment, make, ROOT, run, serviceOn } from "./support/make.mjs";

const SECRET_FILE = ".dev.vars";

/** The project in a folder of its own, without its secret; its scripts are copies, so that a test may replace one. */
function project(t) {
  const folder = stateFolder(t);
  for (const name of readdirSync(ROOT).filter((name) => ![SECRET_FILE, "scripts", ".git", "dist"].includes(name))) {
    symlinkSync(join(ROOT, name), join(folder, name));
  }
  cpSync(join(ROOT, "scripts"), join(folder, "scripts"), { recursive: true });
  const path = join(folder, SECRET_FILE);
  return { folder, path, makeSecret: () => run("make", [SECRET_FILE], { cwd: folder, env: environment(folder) }) };
}

const secretIn = (path) => readFileSync(path, "utf8").match(/^SECRET_KEY=([\w-]{64})\n$/)?.[1];

test("the secret that is made is random, is for its owner's eyes, and the service takes it", async (t) => {
  const secrets = [];
  for (const { path, makeSecret } of [project(t), project(t)]) {
    assertDone(await makeSecret());
    assert.equal(statSync(path).mode & 0o777, 0o600);
    secrets.push(secretIn(path));
  }
  assert.ok(secrets[0] && secrets[1] && secrets[0] !== secrets[1], `${secrets}`);
  const service = await startFor(t, { settings: { SECRET_KEY: secrets[0] } });
  assertSuccess(await me(service, (await signUp(service)).access), 200);
});

test("a secret that is there is never overwritten", async (t) => {
  const { folder, path, makeSecret } = project(t);
  for (const text of ["SECRET_KEY=mine\n", ""]) {
    writeFileSync(path, text);
    await makeSecret();
    assert.notEqual((await run("node", ["scripts/write-secret.mjs", path], { cwd: folder })).code, 0);
    assert.equal(readFileSync(path, "utf8"), text);
  }
});

test("a step that fails leaves no half of a secret behind", async (t) => {
  const { folder, path, makeSecret } = project(t);
  const half = `import { writeFileSync } from "node:fs"; writeFileSync(process.argv[2], "SECRET_KEY="); process.exit(1);`;
  writeFileSync(join(folder, "scripts/write-secret.mjs"), half);
  assert.notEqual((await makeSecret()).code, 0);
  assert.ok(!existsSync(path));
});

test("the folder of the local database may have a space in its name", async (t) => {
  const STATE = join(stateFolder(t), "my state");
  assert.equal((await make("migrate", { STATE })).code, 0);
  assert.deepEqual(assertDone(await make("migrate", { STATE })), [""], "once");
  const service = await serviceOn(t, STATE);
  const { user } = await signUp(service);
  const [, line] = assertDone(await make("admin", { STATE, EMAIL: user.email, UNVERIFIED: "yes" }));
  assert.match(line, /is an administrator of the platform now, in the local database in .*\/my state\.$/);
  assert.ok(assertDone(await make("seed", { STATE })).length > 1);

  const empty = join(stateFolder(t), "it's empty");
  cpSync(STATE, empty, { recursive: true });
  rmSync(join(empty, "v3"), { recursive: true });
  const quoted = (path) => `'${path.replace("'", "'\\''")}'`;
  const remedy = `rm ${quoted(join(empty, "migrated"))} && make migrate STATE=${quoted(empty)}.`;
  assert.ok(assertGaveUp(await make("seed", { STATE: empty })).endsWith(`Apply the migrations first: ${remedy}`));
});

test("migrations are applied once more where one is newer than the database", async (t) => {
  const STATE = stateFolder(t);
  assert.equal((await make("migrate", { STATE })).code, 0);
  assert.equal((await run("touch", ["-t", "200001010000", join(STATE, "migrated")])).code, 0);
  assert.match((await make("migrate", { STATE })).stdout, /Applying migrations/);
  assert.deepEqual(assertDone(await make("migrate", { STATE })), [""]);
});
