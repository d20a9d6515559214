// The cost of the service after growth: 200,000 users, a million sessions, a million audit events. No operation reads
// or writes more than the rows it is about, and cleaning up half a million of them delays no request.
// On workerd with D1, because only the database itself says how many rows its plans read.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { parse } from "yaml";

import { signUp } from "../e2e/support/client.mjs";
import { MAIL_SETTINGS, MAILBOX } from "../e2e/support/mailbox.mjs";
import { startService } from "../e2e/support/service.mjs";
import { measure, quantile, takeBatches, total, WRAPPER } from "./support/batches.mjs";
import { cleanUp, printRuns, timesOf } from "./support/clean-up.mjs";
import { startProvider } from "./support/federation-operations.mjs";
import { fill, FIRST_FREQUENT_USER, FIRST_HEAVY_USER, MOST_SESSIONS } from "./support/fill.mjs";
import { assertKept, assertRecorded, assertSessionsSound, rememberKept } from "./support/kept.mjs";
import { OPERATIONS, OPERATOR_KEY, SLACK, STEP, titleOf } from "./support/operations.mjs";
import { addSessions, belongingsOf, newcomer, refreshInChain, signIn } from "./support/people.mjs";
import { withStored } from "./support/stored.mjs";

const RUNS = 6;
const CLIENTS = 3;
const REFRESHES_BEFORE = 100;
/** The longest that one batch may delay all others, on a machine where a refresh takes its usual time. */
const LONGEST_BATCH_MS = 1000;
const USUAL_REFRESH_MS = 15;
/** Rows that a step of the clean-up reads for each row that it deletes, on top of those that it looks at. */
const READS_PER_DELETION = 4;
const HEAVIEST_SESSIONS = 5000;
/** A disk that stalls for a moment delays one batch of this many. */
const ALL_BUT_STALLS = 0.999;

const state = mkdtempSync(join(tmpdir(), "edge-auth-growth-"));
const provider = await startProvider();
const SETTINGS = { OPERATOR_KEY, ...MAIL_SETTINGS, EMAIL_SIGN_IN: "on", ...provider.settings };
const OPTIONS = { wrapper: [MAILBOX, WRAPPER], settings: SETTINGS };
let empty;
let service;

before(async () => {
  [empty, service] = await Promise.all([startService(OPTIONS), startService({ ...OPTIONS, state })]);
  await whileStopped(fill);
});

after(async () => {
  await Promise.all([empty?.stop(), service?.stop(), provider.stop()]);
  rmSync(state, { recursive: true, force: true });
});

/** Stops the service, uses its database, and starts it again. */
async function whileStopped(use) {
  await service.stop();
  const result = withStored(state, use);
  service = await startService({ ...OPTIONS, state, migrate: false });
  return result;
}

/** Runs an operation as this user and asserts its costs; `sizes` may reduce the stored sizes that it depends on. */
async function held(operation, person, sizes = (belongings) => belongings) {
  const belongings = await belongingsOf(service, person);
  const cost = await measure(service, operation, person);
  const bounds = { read: operation.reads(sizes(belongings)) + SLACK, written: operation.writes(sizes(belongings)) };
  const details = () => `${titleOf(operation)}: ${JSON.stringify({ belongings, bounds, ...cost })}`;
  assert.equal(cost.trips, operation.trips, details());
  assert.ok(cost.read <= bounds.read && cost.written <= bounds.written, details());
  return cost;
}

/** Runs these steps one after another, the next one also after a failure; fails with all their messages. */
async function eachOf(steps) {
  const faults = [];
  for (const step of steps) {
    await step().catch(({ message }) => faults.push(message));
  }
  assert.equal(faults.length, 0, faults.join("\n"));
}

describe("of 200,000 users", () => {
  test("every operation is measured", () => {
    const { paths } = parse(readFileSync(new URL("../../public/openapi.yaml", import.meta.url), "utf8"));
    // The operations about universities grow with other tables, and are measured with those full.
    const isOurs = ({ tags }) => tags?.some((tag) => ["auth", "users", "operations"].includes(tag));
    const methods = Object.values(paths).flatMap((path) => Object.values(path)).filter(isOurs);
    const measured = new Set(OPERATIONS.map(({ id }) => id));
    assert.deepEqual([...measured].sort(), methods.map(({ operationId }) => operationId).sort());
  });

  test("no operation pays for the rows of others", async () => {
    const table = {};
    let heavyUser = FIRST_HEAVY_USER;
    let frequentUser = FIRST_FREQUENT_USER;
    const costsOf = async (operation) => {
      const alone = await measure(empty, operation, await newcomer(empty));
      const newest = await held(operation, await newcomer(service));
      // As in an empty database, except for counters that all accounts share, and that an engine may look once more at the
      // end of a range.
      const more = Math.abs(newest.read - alone.read);
      assert.ok(more <= SLACK + (operation.shared ?? 0), `${titleOf(operation)} read: ${newest.read}, alone ${alone.read}`);
      assert.equal(newest.written, alone.written, `${titleOf(operation)} written, and alone`);
      const heavy = await held(operation, await signIn(service, heavyUser++));
      const frequent = [];
      while (frequent.length < RUNS) {
        frequent.push(await held(operation, await signIn(service, frequentUser++)));
      }
      const most = (member) => Math.max(...frequent.map((cost) => cost[member]));
      const median = quantile(frequent.map(({ ms }) => ms), 0.5);
      table[titleOf(operation)] = {
        "round trips": newest.trips,
        "read: newcomer": newest.read,
        "read: frequent": most("read"),
        "read: heavy": heavy.read,
        "written: newcomer": newest.written,
        "written: frequent": most("written"),
        "written: heavy": heavy.written,
        "median ms": Number(median.toFixed(1)),
      };
    };
    try {
      await eachOf(OPERATIONS.map((operation) => () => costsOf(operation)));
    } finally {
      console.log(`Rows that D1 read and wrote for one user; of ${RUNS} frequent users the most, and the median time`);
      console.table(table);
    }
  });

  test("a login beyond the maximum of sessions leaves as many as before, and no row of the ended one", async () => {
    const heavyUser = FIRST_HEAVY_USER + OPERATIONS.length;
    for (let logins = 0; logins < 3; logins += 1) {
      const person = await signIn(service, heavyUser);
      assert.equal((await belongingsOf(service, person)).sessions, MOST_SESSIONS);
    }
  });

  test("no operation pays for thousands of the caller's own sessions", async () => {
    // More than a user can have: as many as an export shows at most, and as a step of an erasure removes.
    const atMost = (belongings) => ({ ...belongings, sessions: Math.min(belongings.sessions, STEP) });
    const isHeld = (name) => async () => {
      const operation = OPERATIONS.find(({ id, status }) => id === name && status < 300);
      const person = await newcomer(service);
      await addSessions(service, person, HEAVIEST_SESSIONS);
      await held(operation, person, atMost);
    };
    await eachOf(["exportData", "deleteAccount"].map(isHeld));
  });

  test("cleaning up half a million rows delays no batch for long, and no refresh", async () => {
    const people = await Promise.all(Array.from({ length: CLIENTS }, () => signUp(service)));
    const chains = (tokens, isWanted) => Promise.all(tokens.map((token) => refreshInChain(service, token, isWanted)));
    const timesOfAll = (links) => links.flatMap(({ times }) => times);
    const earlier = await chains(people.map((person) => person.refresh), (count) => count < REFRESHES_BEFORE);
    const doomed = await whileStopped(rememberKept);
    assert.ok(doomed >= 500_000, `only ${doomed} rows are to be removed`);

    let isCleaning = true;
    const [{ runs, others }, later] = await bothOf(
      cleanUp(service).finally(() => (isCleaning = false)),
      chains(earlier.map(({ token }) => token), () => isCleaning),
    );
    others.push(...(await takeBatches(service)));
    printRuns({ runs, others, refreshesBefore: timesOfAll(earlier), refreshesMeanwhile: timesOfAll(later) });

    // The number of rows bounds the time. A step of a walk looks at a thousand rows twice: to find its end, and for
    // their age. Each row that it deletes is found again. An erasure's step, of more statements, has its bound above.
    const batches = runs.flatMap((run) => run.batches);
    const steps = batches.filter(({ statements }) => statements.length <= 3);
    const boundOf = (step) => 2 * (STEP + SLACK) + READS_PER_DELETION * total([step], "written");
    const longest = steps.find((step) => total([step], "read") > boundOf(step));
    assert.equal(longest, undefined, JSON.stringify(longest));
    // This is not left to luck: half of the batches take twenty milliseconds, a fiftieth of the bound, and the slowest
    // a tenth of a second. A slow machine is slower at everything.
    const pace = Math.max(1, quantile(timesOfAll(earlier), 0.5) / USUAL_REFRESH_MS);
    const slowest = quantile(timesOf([...batches, ...others]), ALL_BUT_STALLS);
    assert.ok(slowest < LONGEST_BATCH_MS * pace, `batches took ${slowest} ms, at a pace of ${pace}`);
    await whileStopped((db) => {
      assertKept(db, { sessions: CLIENTS });
      assertSessionsSound(db);
      later.forEach((chain) => assertRecorded(db, chain));
    });
  });
});

/** Waits for both even if one fails: a service that is stopped in the middle of its work may hang. */
async function bothOf(...promises) {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
