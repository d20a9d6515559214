// The cost of ten thousand universities, a million roles, and one university that has a tenth of
// those: a page of a list is read only as far as its end, and the caller's own roles decide its rights. On workerd
// with D1, because only the database itself says how many rows its plans read.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { parse } from "yaml";

import { asUser } from "../e2e/support/client.mjs";
import { rows } from "../e2e/support/database.mjs";
import { startService } from "../e2e/support/service.mjs";
import { measure, total, WRAPPER } from "./support/batches.mjs";
import { cleanUp } from "./support/clean-up.mjs";
import { fillRoles, MOST_ROLES, PEOPLE } from "./support/fill-roles.mjs";
import { SLACK, STEP } from "./support/operations.mjs";
import { signIn } from "./support/people.mjs";
import { ofCaller, OPERATIONS } from "./support/role-operations.mjs";
import { withStored } from "./support/stored.mjs";

const TAGS = ["universities", "courses", "authz", "admin"];

const state = mkdtempSync(join(tmpdir(), "edge-auth-growth-roles-"));
let service;
/** For each user the id, the tokens and the number of roles, and `others`, all of them by name. */
const people = {};

before(async () => {
  const empty = await startService({ state });
  await empty.stop();
  withStored(state, fillRoles);
  service = await startService({ wrapper: WRAPPER, state, migrate: false });
  for (const [name, id] of Object.entries(PEOPLE)) {
    const [{ roles }] = await rows(
      service.db,
      "SELECT count(*) AS roles FROM user_university_roles WHERE user_id = ?1",
      id,
    );
    people[name] = { id, roles, ...(await signIn(service, id)), others: people };
  }
});

after(async () => {
  await service?.stop();
  rmSync(state, { recursive: true, force: true });
});

describe("of ten thousand universities with a million roles", () => {
  test("every operation is measured", () => {
    const { paths } = parse(readFileSync(new URL("../../public/openapi.yaml", import.meta.url), "utf8"));
    const methods = Object.values(paths).flatMap((path) => Object.values(path));
    const described = methods.filter(({ tags }) => tags?.some((tag) => TAGS.includes(tag)));
    const measured = new Set(OPERATIONS.map(({ id }) => id));
    assert.deepEqual(described.filter(({ operationId }) => !measured.has(operationId)), []);
  });

  test("the numbers are as stated, and one user has as many roles as possible", async () => {
    const sql = `SELECT (SELECT count(*) FROM universities) AS universities,
      (SELECT count(*) FROM user_university_roles) AS roles`;
    const [{ universities, roles }] = await rows(service.db, sql);
    assert.ok(universities > 10_000 && roles > 1_000_000, `${universities}, ${roles}`);
    assert.equal(people.manifold.roles, MOST_ROLES);
  });

  test("no operation reads more than its page and its caller", async () => {
    const faults = [];
    const table = {};
    for (const operation of OPERATIONS) {
      const person = people[operation.by] ?? { others: people };
      const cost = await measure(service, operation, person);
      const bound = (operation.by ? ofCaller(person.roles) : 0) + operation.reads(person.roles) + SLACK;
      if (cost.trips !== operation.trips || cost.read > bound) {
        faults.push(`${operation.title}: ${JSON.stringify({ bound, ...cost })}`);
      }
      const { trips, read, written, ms } = cost;
      table[operation.title] = { "round trips": trips, read, "at most": bound, written, ms: Number(ms.toFixed(1)) };
    }
    console.log("Rows that D1 read and wrote; a page is of ten");
    console.table(table);
    assert.deepEqual(faults, []);
  });

  test("each step of an administrator's erasure passes over no act of an earlier step", async () => {
    const { id } = people.formerBoss;
    const personal = "SELECT count(*) AS acts FROM audit_events WHERE actor_id = ?1 AND request_id <> ''";
    const [{ acts }] = await rows(service.db, personal, id);
    assert.ok(acts > 10 * STEP, `${acts}`);
    const { status, text } = await asUser(service, people.boss.access, "DELETE", `/admin/users/${id}`);
    assert.equal(status, 204, text);
    const { runs } = await cleanUp(service, async () => (await rows(service.db, personal, id))[0].acts === 0);
    const steps = runs.flatMap(({ batches }) => batches).filter(({ statements }) => statements.length > 3);
    assert.ok(steps.length >= acts / STEP - 1, `${steps.length}`);
    const most = Math.max(...steps.map((step) => total([step], "read")));
    console.log(`${steps.length} steps for ${acts} acts, of which the longest read ${most} rows`);
    assert.ok(most <= 6 * STEP + 50, `${most}`);
    assert.deepEqual(await rows(service.db, personal, id), [{ acts: 0 }]);
  });
});
