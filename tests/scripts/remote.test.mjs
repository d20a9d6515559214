// The target of `make admin` and `make seed`: a remote database only if the caller says so on make's own command
// line. And the messages when it is unreachable. Nothing here leaves this machine.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { stateFolder } from "../e2e/support/start.mjs";
import { assertDone, assertGaveUp, environment, make, run } from "./support/make.mjs";
import { answer, standIn } from "./support/stand-in.mjs";

const EMAIL = "ada@example.com";
const GRANTED = answer([{ id: 1 }], [], [{ id: 7, is_active: 1, is_administrator: 1, created_at: 1, email_verified_at: 2 }]);
const EMPTY = answer([], [], []);
/** Everything in a shell's environment that could choose a database. */
const EXPORTED = { REMOTE: "production", CLOUDFLARE_ENV: "production" };

const isLocal = (STATE) => ({ args }) => {
  const at = args.indexOf("--persist-to");
  return args.includes("--local") && args[at + 1] === STATE && !args.some((arg) => /^(--remote|--env|-e)/.test(arg));
};

/** Every call went to the folder, by arguments as by environment. */
function assertAllLocal(calls, STATE) {
  assert.ok(calls.length >= 2, "migrations and statements");
  assert.deepEqual(calls.filter((call) => !isLocal(STATE)(call)), []);
  assert.deepEqual(calls.filter(({ chosen }) => chosen !== null), []);
}

test("exported variables of the caller's shell choose no remote database", async (t) => {
  const STATE = stateFolder(t);
  const { PATH, calls } = standIn(t, { stdout: GRANTED });
  const lines = assertDone(await make("admin", { STATE, EMAIL, PATH }, EXPORTED));
  assert.equal(
    lines.at(-1).slice(lines.at(-1).indexOf(EMAIL)),
    `${EMAIL} (user 7) is an administrator of the platform now, in the local database in ${STATE}.`,
  );
  assertAllLocal(calls(), STATE);
  // With `make -e` the environment overrides the Makefile.
  assertDone(await make("admin", { STATE, EMAIL, PATH }, { ...EXPORTED, MAKEFLAGS: "e" }));
  assertAllLocal(calls(), STATE);
});

test("an address exported by the caller's shell does not count as the argument", async (t) => {
  const STATE = stateFolder(t);
  const { PATH, calls } = standIn(t, { stdout: GRANTED });
  const { code, stderr } = await make("admin", { STATE, PATH }, { EMAIL });
  assert.notEqual(code, 0);
  assert.match(stderr, /^Say who: /);
  assert.deepEqual(calls().filter(({ args }) => args[1] === "execute"), []);
});

test("a remote database is written to if the command line says so, and then no local one", async (t) => {
  const STATE = stateFolder(t);
  const { PATH, calls } = standIn(t, { stdout: GRANTED });
  for (const exported of [{}, { REMOTE: "staging", CLOUDFLARE_ENV: "staging" }]) {
    const lines = assertDone(await make("admin", { STATE, EMAIL, PATH, REMOTE: "production" }, exported));
    const where = "in the remote database of production";
    assert.deepEqual(lines, [
      `${EMAIL} (user 7) was registered at 1970-01-01T00:00:00.001Z. The address is verified.`,
      `${EMAIL} (user 7) is an administrator of the platform now, ${where}.`,
    ]);
  }
  for (const { args, chosen } of calls()) {
    assert.deepEqual(args.slice(0, 7), ["d1", "execute", "DB", "--remote", "--env=production", "--yes", "--json"]);
    assert.equal(chosen, null);
  }
  assert.equal(calls().length, 2);
  assert.ok(!existsSync(join(STATE, "migrated")));
});

test("the demo data never goes to a remote database", async (t) => {
  const STATE = stateFolder(t);
  const { PATH, calls } = standIn(t, { stdout: EMPTY });
  const line = assertGaveUp(await make("seed", { STATE, PATH, REMOTE: "production" }));
  assert.match(line, /^The demo data is for local databases only/);
  assert.deepEqual(calls(), []);
  assertDone(await make("seed", { STATE, PATH }, EXPORTED));
  assert.equal(calls().length, 3, "migrations, a look, and the data");
  assertAllLocal(calls(), STATE);
});

test("an unknown environment is refused with wrangler's own message", async (t) => {
  const STATE = stateFolder(t);
  for (const REMOTE of ["prodution", "--local", "$(shell echo production)"]) {
    const line = assertGaveUp(await make("admin", { STATE, EMAIL, REMOTE }));
    assert.ok(line.startsWith(`wrangler gave up on the remote database of ${REMOTE}: `), line);
    assert.ok(line.includes(`No environment found in configuration with name "${REMOTE}"`), line);
    assert.ok(line.endsWith('environment names are: ["staging","production"]'), line);
  }
});

test("without an API token wrangler names the missing variable", async (t) => {
  const STATE = stateFolder(t);
  const line = assertGaveUp(await make("admin", { STATE, EMAIL, REMOTE: "production" }));
  assert.match(line, /^wrangler gave up on the remote database of production: .*CLOUDFLARE_API_TOKEN/);
});

test("a remote database without tables, and one refused by Cloudflare, are reported as such", async (t) => {
  const STATE = stateFolder(t);
  const admin = ({ PATH }) => make("admin", { STATE, EMAIL, PATH, REMOTE: "staging" });
  const failure = "wrangler gave up on the remote database of staging:";

  const text = "no such table: users: SQLITE_ERROR";
  const withoutTables = standIn(t, { code: 1, stdout: `\n${JSON.stringify({ error: { text } }, null, 2)}\n` });
  const remedy = "Apply the migrations first: make migrate-remote ENV=staging.";
  assert.equal(assertGaveUp(await admin(withoutTables)), `${failure} ${text}. ${remedy}`);

  const error = { text: "A request to the Cloudflare API failed.", notes: [{ text: "Not found [code: 7404]" }] };
  const refused = standIn(t, { code: 1, stdout: JSON.stringify({ error }) });
  assert.equal(assertGaveUp(await admin(refused)), `${failure} ${error.text} ${error.notes[0].text}`);

  const silent = standIn(t, { code: 3 });
  assert.equal(assertGaveUp(await admin(silent)), `${failure} it ended with 3 and without a word`);
});

test("a missing wrangler is reported", async (t) => {
  const home = stateFolder(t);
  const env = environment(home, { STATE: home, EMAIL, PATH: home });
  for (const script of ["scripts/admin.mjs", "scripts/seed.mjs"]) {
    const line = assertGaveUp(await run(process.execPath, [script], { env }));
    const reason = "it could not be run: spawnSync wrangler ENOENT";
    assert.equal(line, `wrangler gave up on the local database in ${home}: ${reason}`);
  }
});

test("the deployment without an environment has a name of its own", async (t) => {
  const { PATH, calls } = standIn(t, { stdout: GRANTED });
  const lines = assertDone(await make("admin", { STATE: stateFolder(t), EMAIL, PATH, REMOTE: "top-level" }));
  assert.match(lines.at(-1), /in the remote database of top-level\.$/);
  const [{ args }] = calls();
  assert.ok(args.includes("--remote") && args.includes("--env="), args.join(" "));
});
