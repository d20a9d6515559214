// Mail tells nothing: neither the rows nor the log hold anything that can be presented, opening a link changes nothing,
// and asking for a mail is the same work for every address, also behind the response. At this level, because only the
// bundle has all of it: D1's counts, the console, and tasks behind a response.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { newIp, newUser, post, register, send, signUp } from "./support/client.mjs";
import { dump, rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { phc } from "./support/hashes.mjs";
import { accessLines, loggedText } from "./support/logs.mjs";
import { forgot, MAILBOX, mailedLink, mails, reset } from "./support/mailbox.mjs";
import { setMailbox, untilSettled, verify, withMailbox } from "./support/mailbox.mjs";
import { startFor } from "./support/start.mjs";
import { DIFFERENT, distance, measure, table } from "./support/timing.mjs";
import { watchedFor } from "./support/watched.mjs";

const NEW_PASSWORD = "seven green bottles on a wall";
const COUNTED = "tests/growth/wrappers/counted-db.mjs";
const ASK_TO_VERIFY = "/auth/email/verification";

/** A new user: the account, the flow of the registration, and the link and code of its mail. */
async function unproven(service) {
  const user = newUser();
  const { status, text, body } = await register(service, user);
  assert.equal(status, 201, text);
  return { user, flow: body.flow, ...(await mailedLink(service, user.email, "verify")) };
}

test("no link, code or flow is in the database or in the log, used or not, sent or not", async (t) => {
  const service = await watchedFor(t, withMailbox({ settings: { LOG_LEVEL: "DEBUG" } }));
  const [open, used] = [await unproven(service), await unproven(service)];
  assertSuccess(await verify(service, { token: used.token, flow: used.flow }), 200);
  const secrets = [open, used];
  for (const { user } of [open, used]) {
    const { flow } = (await forgot(service, user.email)).body;
    secrets.push({ flow, ...(await mailedLink(service, user.email, "reset")) });
  }
  const [, , , { token, flow, code }] = secrets;
  const wrong = { flow, code: code === "00000000" ? "00000001" : "00000000", new_password: NEW_PASSWORD };
  assertEnvelope(await reset(service, wrong), 401, "AUTH_INVALID_CREDENTIALS");
  for (const status of [200, 401]) {
    assert.equal((await reset(service, { token, new_password: NEW_PASSWORD })).status, status);
  }
  const stranger = await forgot(service, "stranger@mail.example");
  secrets.push({ flow: stranger.body.flow });
  await untilSettled(service);
  for (const mode of ["again", "never", "broken", "misconfigured"]) {
    await setMailbox(service, mode);
    secrets.push({ flow: (await register(service, newUser())).body.flow });
  }
  const isNoted = (line) => ["Mail not sent yet", "Mail refused"].includes(line.message);
  await service.logged(isNoted, 4);
  const [stored, logs] = [await dump(service.db), (await loggedText(service)).join("\n")];
  const texts = secrets.flatMap((secret) => [secret.token, secret.flow].filter(Boolean).map((text) => text.split(".")[1]));
  assert.equal(texts.length, 4 + 4 + 1 + 4);
  for (const secret of [...texts, ...secrets.flatMap(({ code }) => code ?? [])]) {
    assert.ok(!stored.includes(secret), `stored: ${secret}`);
    assert.ok(!logs.includes(secret), `logged: ${secret}`);
  }
  // Nor the content of a mail, nor the address of a stranger.
  const all = stored + logs;
  assert.ok(["stranger@mail.example", "#token=", "login@example.com"].every((text) => !all.includes(text)));
});

test("opening a link, or its token in a query, changes no row; the link serves afterwards", async (t) => {
  const service = await watchedFor(t, withMailbox());
  const { user, token: verifyToken, flow } = await unproven(service);
  await forgot(service, user.email);
  const { token: resetToken } = await mailedLink(service, user.email, "reset");
  await untilSettled(service);
  const stored = await dump(service.db);
  const links = [["/verify", "/auth/email/verify", verifyToken], ["/reset", "/auth/password/reset", resetToken]];
  for (const [page, path, token] of links) {
    const query = `?token=${token}&flow=${flow}&new_password=${encodeURIComponent(NEW_PASSWORD)}`;
    for (const method of ["GET", "HEAD"]) {
      assert.equal((await send(service, page, { method })).status, 200);
      assert.equal((await send(service, page + query, { method })).status, 200);
      assert.equal((await send(service, path + query, { method })).status, 405);
    }
    // A scanner that imitates a form: the token counts in the body only.
    assert.equal((await send(service, path + query, { method: "OPTIONS" })).status, 405);
    assertEnvelope(await post(service, path + query, {}), 422, "VALIDATION_ERROR");
  }
  assert.equal(await dump(service.db), stored);
  assertSuccess(await verify(service, { token: verifyToken, flow }), 200);
  assertSuccess(await reset(service, { token: resetToken, new_password: NEW_PASSWORD }), 200);
});

/** One account of each kind for each round, `undefined`: none. */
const KINDS = {
  known: { is_active: 1, verified: 1 },
  unverified: { is_active: 1, verified: null },
  disabled: { is_active: 0, verified: 1 },
  unknown: undefined,
};
const addressOf = (kind, round) => `${kind}-${round}@mail.example`;

async function addAccounts(service, count) {
  const sql = `
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
    INSERT INTO users (email, password_hash, created_at, is_active, email_verified_at)
    SELECT ?2 || '-' || i || '@mail.example', ?3, 1, ?4, ?5 FROM n`;
  for (const [kind, account] of Object.entries(KINDS).filter(([, account]) => account)) {
    await rows(service.db, sql, count, kind, phc("whatever the password is", 1000), account.is_active, account.verified);
  }
}

/** The requests, with the settings that they need, and the kinds of addresses that get a mail. */
const REQUESTS = {
  "/auth/password/forgot": { reached: ["known", "unverified"] },
  [ASK_TO_VERIFY]: { reached: ["unverified"] },
  "/auth/email/code": { reached: ["known", "unverified"], settings: { EMAIL_SIGN_IN: "on" } },
  "/auth/register": { reached: ["known", "unverified", "unknown"], settings: { EMAIL_VERIFICATION: "required" } },
};
const NEW_USER = { password: "an entirely new passphrase" };
const ask = (service, path, email, ip = newIp()) => post(service, path, { email, ...NEW_USER }, { "CF-Connecting-IP": ip });

describe("asking for a mail is alike for known, unverified, disabled and unknown addresses:", () => {
  for (const [path, { reached, settings }] of Object.entries(REQUESTS)) {
    test(`the answer, the round trips, the statements and the written rows of ${path}`, async (t) => {
      const service = await startFor(t, withMailbox({ wrapper: [MAILBOX, COUNTED], settings }));
      await addAccounts(service, 1);
      // The counts of all addresses have their row from now on.
      await ask(service, path, addressOf("unknown", 1));
      const costOf = async (kind, ip) => {
        await untilSettled(service);
        await send(service, "/__batches");
        const answer = await ask(service, path, addressOf(kind, 0), ip);
        await untilSettled(service);
        const [line] = await accessLines(service, [answer]);
        const batches = JSON.parse((await send(service, "/__batches")).text);
        const statements = batches.map((batch) => batch.statements.map(({ sql, written }) => [sql, written]));
        const headers = { ...answer.headers, "x-request-id": "", date: "", "content-length": "" };
        const { flow, ...body } = answer.body;
        // The number in a flow is random, and so is its length.
        const length = Number(answer.headers["content-length"] ?? answer.text.length) - flow.length;
        const said = { status: answer.status, headers, length, body, flow: flow.replace(/^\d+\./, "").length };
        return { said, d1_calls: line.d1_calls, do_calls: line.do_calls, statements };
      };
      const ip = newIp();
      for (const expected of ["admitted", "the second within a minute"]) {
        const costs = [];
        for (const kind of Object.keys(KINDS)) {
          costs.push(await costOf(kind, ip));
        }
        assert.equal(costs[0].said.status, 202);
        // One round trip, and one behind the response.
        assert.equal(costs[0].statements.length, expected === "admitted" ? 2 : 1);
        costs.forEach((cost) => assert.deepEqual(cost, costs[0]));
      }
      // The first is that of the address before.
      const to = (await mails(service)).map((mail) => mail.to).filter((email) => email !== addressOf("unknown", 1));
      assert.deepEqual(to, reached.map((kind) => addressOf(kind, 0)));
    });
  }

  test("the letter is written, and the sender asked, when the response is made", async (t) => {
    const service = await startFor(t, withMailbox());
    const { user } = await unproven(service);
    await forgot(service, user.email);
    await mailedLink(service, user.email, "reset");
    const { calls, early } = (await post(service, "/__mails", {})).body;
    assert.deepEqual({ calls, early }, { calls: 2, early: 0 });
  });

  for (const path of ["/auth/password/forgot", "/auth/register"]) {
    test(`the time of ${path}, as far as the clock distinguishes`, async (t) => {
      const { rounds, warmUp } = { rounds: 250, warmUp: 30 };
      const service = await startFor(t, withMailbox({ settings: { ...REQUESTS[path].settings, MAIL_PER_HOUR: "1000000" } }));
      await addAccounts(service, 3 * (rounds + warmUp));
      const measurement = (number) => {
        const first = number * (rounds + warmUp);
        const kinds = Object.keys(KINDS).map((kind) => {
          return [kind, async (round) => assert.equal((await ask(service, path, addressOf(kind, first + round))).status, 202)];
        });
        // A control: two requests are slower than one.
        kinds.push(["control: two requests", async (round) => {
          await ask(service, path, addressOf("unknown", `a-${first + round}`));
          await ask(service, path, addressOf("unknown", `b-${first + round}`));
        }]);
        return measure(Object.fromEntries(kinds), { rounds, warmUp, between: () => untilSettled(service) });
      };
      // A real difference is found in every measurement, and one made by chance is not found again.
      let suspects = Object.keys(KINDS).slice(1);
      for (let number = 0; number < 3 && suspects.length > 0; number += 1) {
        const times = await measurement(number);
        table(times).forEach((line) => t.diagnostic(line));
        const control = distance(times["control: two requests"], times.known);
        assert.ok(control > DIFFERENT, "this machine is too busy to measure anything");
        suspects = suspects.filter((kind) => Math.abs(distance(times[kind], times.known)) >= DIFFERENT);
      }
      assert.deepEqual(suspects, [], "these differ from a known address in every measurement");
    });
  }
});
