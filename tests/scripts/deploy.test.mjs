// The command behind the "Deploy to Cloudflare" button: the tables come first, and without them nothing is deployed.
// With a stand-in for wrangler: nothing here leaves this machine.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { ROOT, run } from "./support/make.mjs";
import { standIn } from "./support/stand-in.mjs";

const { scripts, cloudflare } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const MIGRATE = ["d1", "migrations", "apply", "DB", "--remote"];
const words = (calls) => calls.map(({ args }) => args);
const deploy = (PATH) => run(join(ROOT, scripts.deploy), [], { env: { ...process.env, PATH } });

test("the tables are made, then the service is deployed", async (t) => {
  const { PATH, calls } = standIn(t);
  assert.equal((await deploy(PATH)).code, 0);
  assert.deepEqual(words(calls()), [MIGRATE, ["deploy"]]);
});

test("where the tables cannot be made nothing is deployed", async (t) => {
  const { PATH, calls } = standIn(t, { code: 1 });
  assert.notEqual((await deploy(PATH)).code, 0);
  assert.deepEqual(words(calls()), [MIGRATE]);
});

test("the button asks for the described secrets, and an unchanged placeholder does not work", () => {
  const example = readFileSync(join(ROOT, ".dev.vars.example"), "utf8");
  const asked = example.split("\n").filter((line) => /^[A-Z]/.test(line)).map((line) => line.split("=")[0]);
  assert.deepEqual(asked, ["SECRET_KEY"]);
  assert.deepEqual(Object.keys(cloudflare.bindings), asked);
  assert.match(example, /^SECRET_KEY=change-me/m, "refused by the service as a sample value");
});
