// Sign-ins in both steps, in parallel with all that ends them: changes of the password, the app and the recovery codes, and
// disabling. In every order, no session survives that the final state forbids, and the owner can sign in. At this level, because D1 and workerd make the interleavings.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { asUser, changePassword, login, me, refresh } from "./support/client.mjs";
import { assertSoundSessions, liveSessions, rows } from "./support/database.mjs";
import { complete, confirm, due, dueTimes, enrol, FACTOR_SETTINGS, forgetSteps } from "./support/factors.mjs";
import { removeTotp, stepUp, withTotp } from "./support/factors.mjs";
import { made, platformAdmin } from "./support/roles.mjs";
import { startService } from "./support/service.mjs";
import { decode } from "./support/tokens.mjs";
import { totp } from "./support/totp.mjs";

const ROUNDS = 30;
const MAX_DELAY_MS = 25;
const NEW_PASSWORD = "seven green bottles on a wall";

let service;
let boss;
before(async () => {
  service = await startService({ isolates: 2, settings: FACTOR_SETTINGS });
  boss = await platformAdmin(service);
});
after(() => service?.stop());

/** Mulberry32: numbers in [0, 1) that depend on the seed only. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An account with an app, a fresh session `own`, another complete session, three waiting sign-ins, and an app on offer. */
async function prepare() {
  const account = await withTotp(service);
  const [first, ...waiting] = await dueTimes(service, account.user, 4);
  const [recovery, ...others] = account.recovery;
  const other = await made(complete(service, { mfa_token: first.mfa_token, recovery_code: recovery }));
  const { access_token: fresh } = await made(stepUp(service, account.access, { code: totp(account.secret) }));
  const { secret: next } = await made(enrol(service, fresh));
  await forgetSteps(service, account.id);
  const own = decode(account.access).claims.sid;
  return { ...account, own, fresh, next, other, waiting: waiting.map(({ mfa_token }) => mfa_token), recovery: others };
}

/** The requests; `at` is one of two isolates. Sign-ins are named `in…`. */
const REQUESTS = {
  inByCode: (at, { waiting, secret }) => complete(at, { mfa_token: waiting[0], code: totp(secret) }),
  inByRecovery: (at, { waiting, recovery }) => complete(at, { mfa_token: waiting[1], recovery_code: recovery[0] }),
  inByOtherRecovery: (at, { waiting, recovery }) => complete(at, { mfa_token: waiting[2], recovery_code: recovery[1] }),
  inBySameRecovery: (at, { waiting, recovery }) => complete(at, { mfa_token: waiting[2], recovery_code: recovery[0] }),
  inByPassword: (at, { user }) => login(at, user),
  inByNewPassword: (at, { user }) => login(at, { ...user, password: NEW_PASSWORD }),
  refreshed: (at, { other }) => refresh(at, other.refresh_token),
  steppedUp: (at, { other, secret }) => stepUp(at, other.access_token, { code: totp(secret) }),
  changed: (at, { fresh, user }) => changePassword(at, fresh, user.password, NEW_PASSWORD),
  removed: (at, { fresh }) => removeTotp(at, fresh),
  replaced: (at, { fresh, next }) => confirm(at, fresh, totp(next)),
  renewed: (at, { fresh }) => asUser(at, fresh, "POST", "/users/me/mfa/recovery-codes", {}),
  disabled: (at, { id }) => asUser(at, boss.access, "PATCH", `/admin/users/${id}`, { is_active: false }),
};
const SIGN_INS = Object.keys(REQUESTS).filter((name) => name.startsWith("in"));
/** The chance that a request is part of a round. */
const chanceOf = (name) => ({ changed: 0.4, removed: 0.4, replaced: 0.4, disabled: 0.2, renewed: 0.3 })[name] ?? 0.8;

/** Sends the requests of a round, each after its delay; returns the answers by name. */
async function burst(random, account) {
  const names = Object.keys(REQUESTS).filter((name) => random() < chanceOf(name));
  const answers = names.map(async (name) => {
    const at = service.isolates[random() < 0.5 ? 0 : 1];
    await new Promise((resolve) => setTimeout(resolve, random() * MAX_DELAY_MS));
    return [name, await REQUESTS[name](at, account)];
  });
  return Object.fromEntries(await Promise.all(answers));
}

/** The names of the sessions that may be live in the final state. */
function allowed({ isDone, hasApp }) {
  const ended = isDone("changed") || isDone("removed") || isDone("replaced");
  const byPassword = isDone("changed") ? ["inByNewPassword"] : ["inByPassword"];
  if (isDone("disabled")) {
    return [];
  }
  const complete = ["inByCode", "inByRecovery", "inByOtherRecovery", "inBySameRecovery", "other"];
  return ["own", ...(ended ? [] : complete), ...(hasApp ? [] : byPassword)];
}

/** The owner signs in with all that the final state leaves. */
async function assertNotLockedOut({ user, secret, next, id }, { isDone, hasApp }) {
  const person = { ...user, password: isDone("changed") ? NEW_PASSWORD : user.password };
  if (!hasApp) {
    assert.equal((await login(service, person)).status, 200);
    return;
  }
  await forgetSteps(service, id);
  const { mfa_token } = await due(service, person);
  const code = totp(isDone("replaced") ? next : secret);
  assert.equal((await complete(service, { mfa_token, code })).status, 200);
}

test(`no session survives that the final state forbids, in ${ROUNDS} rounds`, async () => {
  const seen = {};
  for (let seed = 1; seed <= ROUNDS; seed += 1) {
    const account = await prepare();
    const answers = await burst(generator(seed), account);
    const isDone = (name) => answers[name]?.status >= 200 && answers[name]?.status < 300;
    const sql = "SELECT 1 FROM totp_secrets WHERE user_id = ?1 AND is_confirmed = 1";
    const hasApp = (await rows(service.db, sql, account.id)).length === 1;
    const told = Object.entries(answers).map(([name, { status, body }]) => `${name} ${status} ${body?.error?.code ?? ""}`);
    const context = `seed ${seed}: ${told.join(", ")}`;
    Object.values(answers).forEach(({ status }) => assert.ok(status < 500, context));
    assert.equal(hasApp, !isDone("removed"), context);

    const sidOf = (token) => decode(token).claims.sid;
    const opened = SIGN_INS.filter(isDone).map((name) => [sidOf(answers[name].body.access_token), name]);
    const names = Object.fromEntries([[account.own, "own"], [sidOf(account.other.access_token), "other"], ...opened]);
    const live = (await liveSessions(service.db, account.id)).map(({ id }) => names[id] ?? `unknown ${id}`);
    const may = allowed({ isDone, hasApp });
    live.forEach((name) => assert.ok(may.includes(name), `${name} survived; ${context}`));
    assert.equal(live.includes("own"), !isDone("disabled"), context);
    assert.ok(!(isDone("inByRecovery") && isDone("inBySameRecovery")), context);
    for (const [sid, name] of opened) {
      const { status } = await me(service, answers[name].body.access_token);
      assert.equal(status === 200, live.includes(name), `${name} (${sid}); ${context}`);
    }
    if (!isDone("disabled")) {
      await assertNotLockedOut(account, { isDone, hasApp });
    }
    for (const [name, { status }] of Object.entries(answers)) {
      seen[`${name} ${status}`] = (seen[`${name} ${status}`] ?? 0) + 1;
    }
  }
  // The rounds meant something: each kind of request succeeded, and sign-ins were refused, too.
  const all = JSON.stringify(seen);
  for (const name of Object.keys(REQUESTS).filter((name) => name !== "inByNewPassword")) {
    assert.ok(Object.keys(seen).some((key) => key.startsWith(`${name} 20`)), `${name} never succeeded: ${all}`);
  }
  SIGN_INS.forEach((name) => assert.ok(seen[`${name} 401`] > 0, all));
  await assertSoundSessions(service.db);
});
