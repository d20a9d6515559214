// A backup by `wrangler d1 export`, and its restore into a new database, with the commands of docs/operate.md on a local database.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { login, newUser, signUp } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { startService } from "../e2e/support/service.mjs";
import { stateFolder } from "../e2e/support/start.mjs";
import { ROOT, contents, environment, migratedFolders, run } from "./support/make.mjs";

const migrated = migratedFolders();
const SCHEMA = "SELECT type, name, sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_*' AND name NOT GLOB '_cf_*' ORDER BY type, name";
/** A value that an export has to escape. */
const SALT = "it's\n'CREATE TRIGGER refresh_tokens_; --\r\n";

async function serving(folder, use) {
  const service = await startService({ state: join(folder, "v3"), migrate: false });
  try {
    return await use(service);
  } finally {
    await service.stop();
  }
}

const whole = async ({ db }) => ({ schema: await rows(db, SCHEMA), rows: (await contents(db)).sort() });

test("a restored backup is the same database: its users sign in, and no id comes twice", async (t) => {
  const [folder, project, restored] = [migrated(t), stateFolder(t), stateFolder(t)];
  const { user, before } = await serving(folder, async (service) => {
    const { user, id } = await signUp(service);
    await rows(service.db, "INSERT INTO audit_salts (user_id, salt) VALUES (?1, ?2)", id, SALT);
    const add = "INSERT INTO users (email, password_hash, created_at) VALUES ('deleted@mail.example', '', 1) RETURNING id";
    const [{ id: newest }] = await rows(service.db, add);
    await rows(service.db, "DELETE FROM users WHERE id = ?1", newest);
    return { user: { ...user, newest }, before: await whole(service) };
  });

  // The export knows no other folder of a local database.
  mkdirSync(join(project, ".wrangler"));
  symlinkSync(folder, join(project, ".wrangler/state"));
  copyFileSync(join(ROOT, "wrangler.toml"), join(project, "wrangler.toml"));
  const shell = async (command) => {
    const { code, stdout, stderr } = await run("bash", ["-c", command], { cwd: project, env: environment(project) });
    assert.equal(code, 0, `${command}: ${stdout}${stderr}`);
  };
  await shell("wrangler d1 export DB --local --skip-confirmation --output=backup.sql");
  const [ordering] = /^\(umask 077; grep -v .*$/m.exec(readFileSync(join(ROOT, "docs/operate.md"), "utf8"));
  await shell(ordering);
  await shell(`wrangler d1 execute DB --local --persist-to '${restored}' --yes --file ordered.sql`);

  await serving(restored, async (service) => {
    assert.deepEqual(await whole(service), before);
    assert.equal((await login(service, user)).status, 200);
    const { id } = await signUp(service, newUser());
    assert.ok(id > user.newest, `${id} was that of a deleted user`);
  });
});
