// Runs `make` as from a terminal, on a database of the test's own: real make, real wrangler, real D1. No
// developer's setting or account reaches it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before } from "node:test";

import { dump } from "../../e2e/support/database.mjs";
import { startFor, stateFolder } from "../../e2e/support/start.mjs";

export const ROOT = resolve(import.meta.dirname, "../../..");
/** Exported variables that would choose a database, an account, or an action of make. */
const LEFT_OUT = /^(MAKE.*|MFLAGS|EMAIL|UNVERIFIED|REMOTE|SINCE|HEAD|SECRET_KEY.*|STATE|SAID_STATE|PORT|FROM|TO|FORMAT|MAP|TABLE|URL|PATH|HOME|XDG_.*|CLOUDFLARE_.*|CF_.*)$/;

/** Runs a program to its end, without blocking a service that runs in this process: `{code, stdout, stderr}`. */
export function run(command, args, options = {}) {
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], ...options });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (chunk) => (output[name] += chunk));
  }
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) => done({ code, ...output }));
  });
}

/** An environment in which wrangler is signed in nowhere: `home` has none of its settings. */
export function environment(home, exported = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !LEFT_OUT.test(name));
  return { ...Object.fromEntries(kept), PATH: process.env.PATH, HOME: home, XDG_CONFIG_HOME: home, ...exported };
}

/**
 * `make target NAME=value …`, with additional exported variables. STATE and PATH are names like any other;
 * the folder STATE is also the caller's home.
 */
export function make(target, variables, exported = {}) {
  const args = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return run("make", [target, ...args], { env: environment(variables.STATE, exported) });
}

/** It succeeded: its lines. */
export function assertDone({ code, stdout, stderr }) {
  assert.equal(code, 0, stdout + stderr);
  assert.equal(stderr, "");
  return stdout.trimEnd().split("\n");
}

/** It failed with exactly one line of its own, beside make's, and without claiming success: that line. */
export function assertGaveUp({ code, stdout, stderr }) {
  assert.notEqual(code, 0, stdout);
  assert.equal(stdout, "");
  const lines = stderr.trimEnd().split("\n").filter((line) => !line.startsWith("make: ***"));
  assert.equal(lines.length, 1, stderr);
  return lines[0];
}

/**
 * Applies the migrations once, by make, for all tests of the file. `migrated(t)` gives a test a folder of its own
 * with that database in it.
 */
export function migratedFolders() {
  const template = mkdtempSync(join(tmpdir(), "edge-auth-scripts-"));
  before(async () => {
    const { code, stdout, stderr } = await make("migrate", { STATE: template });
    assert.equal(code, 0, stdout + stderr);
  });
  after(() => rmSync(template, { recursive: true, force: true }));
  return (t) => {
    const folder = stateFolder(t);
    cpSync(template, folder, { recursive: true });
    return folder;
  };
}

/** The service on the database in that folder, in the place where `make dev` would have it. */
export function serviceOn(t, folder, settings = {}) {
  return startFor(t, { state: join(folder, "v3"), migrate: false, settings });
}

/** Tables without content: counters, records of migrations, rows that always exist. */
const APART = ["sqlite_sequence", "d1_migrations"];

/** All rows of the database, as lines, to compare before and after. */
export async function contents(db) {
  const tables = Object.entries(JSON.parse(await dump(db))).filter(([name]) => !APART.includes(name));
  return tables.flatMap(([name, list]) => list.map((row) => `${name} ${JSON.stringify(row)}`));
}
