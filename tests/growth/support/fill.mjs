// Fills a database as years of use would: 200,000 users, a million refresh tokens, a million audit events. The same
// rows every time; only the clock moves.
import { fillWith, HASH, numbers, scatter, shuffle, values } from "./rows.mjs";

const USERS = 200_000;
const EVENTS = 1_000_000;
/** The number of events that are older than their retention. */
const OLD_EVENTS = 40_000;
const SESSIONS = 200_000;
const TOKENS_PER_SESSION = 5;
/** Addresses without an account share this many throttles. */
const UNKNOWN_SLOTS = 1024;

/** Has signed in thousands of times recently: this many sessions are over and not yet cleaned up. */
export const HEAVIEST_USER = 1;
const HEAVIEST_SESSIONS = 5000;
/** Each of these has the maximum of live sessions, and more that are over. */
export const FIRST_HEAVY_USER = 2;
const HEAVY_USERS = 40;
const HEAVY_SESSIONS = 250;
const HEAVY_LIVE_SESSIONS = 100;
/** One event in ten belongs to a user up to here: each has more than one page of an export holds. */
const HEAVY_EVENTS = 10;
/** These users, a tenth of all, have half of all other sessions and events. */
export const FIRST_FREQUENT_USER = FIRST_HEAVY_USER + HEAVY_USERS;
const FREQUENT_USERS = USERS / 10;
const OTHER_USERS = USERS - FIRST_FREQUENT_USER + 1;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** So the oldest of the retained events is 88 days old; they are kept for 90. */
const EVENT_INTERVAL = Math.floor((88 * DAY) / (EVENTS - OLD_EVENTS));
const TOKEN_DAYS = 7;
const SESSION_DAYS = 30;

/**
 * The kinds of sessions: of each forty this many, with tokens issued this many days ago, each in exchange for
 * the one before. The first two kinds are over; of the next two some tokens or all have expired.
 */
const KINDS = [
  { share: 6, issued: [40, 38, 36, 34, 32] },
  { share: 6, issued: [5, 4, 3, 2.5, 2], ended: 1 },
  { share: 2, issued: [20, 19.5, 19, 18.5, 18] },
  { share: 5, issued: [12, 9, 5, 3, 1] },
  { share: 21, issued: [3, 2, 1.5, 1, 0.5] },
];
const PERIOD = firstOf(KINDS.length);
const ENDED = 1;
const IN_USE = 4;

/** Half of the numbers belong to the frequent users, the others to any user. */
const someUser = (number) =>
  `(${FIRST_FREQUENT_USER} + ${shuffle(number)} % iif((${number}) & 1, ${FREQUENT_USERS}, ${OTHER_USERS}))`;
const sessionId = (number) => `(1 + (${shuffle(number)} << 18) + (${number}))`;
const jti = (number) => {
  const parts = [shuffle(number), ...[2654435761, 3266489917, 668265263].map((factor) => scatter(number, factor))];
  return `printf('%08x%08x%08x%08x', ${parts.join(", ")})`;
};
/** The hours by which a session is older than the days of its kind: activity is spread over the day. */
const extraAge = (number) => `${shuffle(number)} % ${6 * HOUR}`;

/** Sessions are numbered: those of any user, then those of the heavy users, then those of the heaviest. */
const FIRST_OF_HEAVIEST = SESSIONS + HEAVY_USERS * HEAVY_SESSIONS;
const LAST_SESSION = FIRST_OF_HEAVIEST + HEAVIEST_SESSIONS - 1;
const ofHeavy = `(n - ${SESSIONS})`;
const kindOfSession = `CASE
    WHEN n < ${SESSIONS} THEN n % ${PERIOD}
    WHEN n < ${FIRST_OF_HEAVIEST} AND ${ofHeavy} % ${HEAVY_SESSIONS} < ${HEAVY_LIVE_SESSIONS} THEN ${firstOf(IN_USE)}
    ELSE ${firstOf(ENDED)} END`;
const userOfSession = `CASE
    WHEN n < ${SESSIONS} THEN ${someUser("n")}
    WHEN n < ${FIRST_OF_HEAVIEST} THEN ${FIRST_HEAVY_USER} + ${ofHeavy} / ${HEAVY_SESSIONS}
    ELSE ${HEAVIEST_USER} END`;
const DEVICE = "'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'";

/** The number of the first session of this kind, of each forty. */
function firstOf(kind) {
  return KINDS.slice(0, kind).reduce((sum, { share }) => sum + share, 0);
}

const USER_ROWS = `
  INSERT INTO users (id, email, password_hash, full_name, created_at)
  ${numbers(1, USERS)}
  SELECT n, 'user-' || n || '@mail.example', ?2, iif(n % 3, 'Person ' || n, NULL), ?1 - ${400 * DAY} + n * 1000
  FROM numbers`;

const SESSION_ROWS = `
  INSERT INTO sessions (id, user_id, created_at, expires_at, last_used_at, ip, user_agent, ended_at, end_reason)
  ${numbers(0, LAST_SESSION)}, ${values(
    "kinds (first, next, created, used, ended)",
    KINDS.map(({ share, issued, ended = "NULL" }, kind) => {
      return [firstOf(kind), firstOf(kind) + share, issued.at(0), issued.at(-1), ended];
    }),
  )}, moments AS (
    SELECT n, kinds.*, ?1 - ${extraAge("n")} AS now
    FROM numbers JOIN kinds ON ${kindOfSession} BETWEEN first AND next - 1
  )
  SELECT ${sessionId("n")}, ${userOfSession}, now - created * ${DAY}, now - (created - ${SESSION_DAYS}) * ${DAY},
         now - used * ${DAY}, '192.0.2.' || (n % 256), ${DEVICE},
         now - ended * ${DAY}, iif(ended IS NULL, NULL, iif(n & 1, 'logout', 'limit'))
  FROM moments`;

const TOKEN_ROWS = `
  INSERT INTO refresh_tokens (jti, session_id, created_at, expires_at, revoked_at, successor_jti)
  ${numbers(0, LAST_SESSION)}, ${values(
    "kinds (first, next, place, created, issued, exchanged)",
    KINDS.flatMap(({ share, issued }, kind) =>
      issued.map((days, place) => {
        return [firstOf(kind), firstOf(kind) + share, place, issued.at(0), days, issued.at(place + 1) ?? "NULL"];
      }),
    ),
  )}, moments AS (
    SELECT n, n * ${TOKENS_PER_SESSION} + place + 1 AS token, kinds.*, ?1 - ${extraAge("n")} AS now
    FROM numbers JOIN kinds ON ${kindOfSession} BETWEEN first AND next - 1
  )
  SELECT ${jti("token")}, ${sessionId("n")}, now - issued * ${DAY},
         now - max(issued - ${TOKEN_DAYS}, created - ${SESSION_DAYS}) * ${DAY},
         now - exchanged * ${DAY}, iif(exchanged IS NULL, NULL, ${jti("token + 1")})
  FROM moments
  -- The table is ordered by this key: so it is filled from one end to the other.
  ORDER BY 1`;

const EVENT_ROWS = `
  INSERT INTO audit_events (id, created_at, type, reason, user_id, session_id, ip, user_agent, request_id)
  ${numbers(1, EVENTS)}
  SELECT n,
         iif(n <= ${OLD_EVENTS}, ?1 - ${95 * DAY} + n, ?1 - ${HOUR} - (${EVENTS} - n) * ${EVENT_INTERVAL}),
         CASE n % 8 WHEN 0 THEN 'signed_in' WHEN 1 THEN 'sign_in_refused' WHEN 2 THEN 'signed_out' ELSE 'refreshed' END,
         CASE n % 8 WHEN 1 THEN 'wrong_password' END,
         CASE WHEN n % ${HEAVY_EVENTS} = 0 THEN ${HEAVIEST_USER} + n / ${HEAVY_EVENTS} % ${HEAVY_USERS + 1}
              WHEN n % 50 = 1 THEN NULL
              ELSE ${someUser("n")} END,
         CASE n % 8 WHEN 1 THEN NULL ELSE ${sessionId(`n % ${SESSIONS}`)} END,
         '192.0.2.' || (n % 256), ${DEVICE}, printf('%08x%024x', ${shuffle("n")}, n)
  FROM numbers`;

/** Half of the users mistyped their password at sign-in, a third when they were asked again. */
const THROTTLE_ROWS = `
  INSERT INTO throttles (key, failures, blocked_until)
  ${numbers(1, USERS)}
  SELECT 'user/' || n || '/password', 1 + n % 4, 0 FROM numbers WHERE n % 2 = 0
  UNION ALL SELECT 'user/' || n || '/reauthentication', 1 + n % 4, 0 FROM numbers WHERE n % 3 = 0
  UNION ALL SELECT 'unknown/' || (n - 1), n, 0 FROM numbers WHERE n <= ${UNKNOWN_SLOTS}`;

/** Fills the tables of a migrated database that is new and not in use. */
export function fill(db) {
  const now = Date.now();
  fillWith(db, () => {
    db.prepare(USER_ROWS).run(now, HASH);
    [SESSION_ROWS, TOKEN_ROWS, EVENT_ROWS].forEach((sql) => db.prepare(sql).run(now));
    db.exec(THROTTLE_ROWS);
  });
}
