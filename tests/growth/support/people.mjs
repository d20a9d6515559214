// The users of the service while it is measured: users of the filled database, and newcomers.
import assert from "node:assert/strict";

import { login, refresh, signUp } from "../../e2e/support/client.mjs";
import { rows } from "../../e2e/support/database.mjs";
import { emailOf, numbers, PASSWORD } from "./rows.mjs";

/** A user of the filled database, signed in once more: `{user, access, refresh}`. */
export function signIn(service, id) {
  return openSession(service, { email: emailOf(id), password: PASSWORD });
}

/** A user that registered just now and signed in on a second device. */
export async function newcomer(service) {
  const { user } = await signUp(service);
  return openSession(service, user);
}

async function openSession(service, user) {
  const { status, text, body } = await login(service, user);
  assert.equal(status, 200, text);
  return { user, access: body.access_token, refresh: body.refresh_token };
}

/** Gives the user this many sessions that are over, all of them older than the others. */
export function addSessions({ db }, { user }, count) {
  const sql = `
    ${numbers(1, count)}
    INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, refresh_id, refresh_expires_at)
    SELECT 1 + abs(random() % 9007199254740991), u.id, n, n, 1000000 + n, lower(hex(randomblob(16))), 1000000 + n
    FROM users AS u, numbers WHERE u.email = ?1`;
  return rows(db, sql, user.email);
}

const SELECT_BELONGINGS = `
  SELECT (SELECT count(*) FROM sessions AS s WHERE s.user_id = u.id) AS sessions,
         (SELECT count(*) FROM audit_events AS e WHERE e.user_id = u.id) AS events,
         (SELECT count(*) FROM throttles AS t
          WHERE t.key > 'user/' || u.id || '/' AND t.key < 'user/' || u.id || '0') AS throttles
  FROM users AS u WHERE u.email = ?1`;

/** The numbers of the user's rows: `{sessions, events, throttles}`. */
export async function belongingsOf({ db }, { user }) {
  const [belongings] = await rows(db, SELECT_BELONGINGS, user.email);
  return belongings;
}

/** Refreshes while `isWanted(number of refreshes)`, each time with the token of the previous answer: the last two. */
export async function refreshInChain(service, token, isWanted) {
  const times = [];
  let [previous, newest] = [undefined, token];
  while (isWanted(times.length)) {
    const begun = performance.now();
    const { status, text, body } = await refresh(service, newest);
    times.push(performance.now() - begun);
    assert.equal(status, 200, text);
    [previous, newest] = [newest, body.refresh_token];
  }
  return { previous, token: newest, times };
}
