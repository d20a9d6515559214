// Fills a database as years of use would: 200,000 users, a million sessions, a million audit events. The same rows
// every time; only the clock moves.
import { fillWith, HASH, numbers, scatter, shuffle, values } from "./rows.mjs";

const USERS = 200_000;
const EVENTS = 1_000_000;
/** The number of events that are older than their retention. */
const OLD_EVENTS = 40_000;
const SESSIONS = 1_000_000;
/** Addresses without an account share this many sets of counters. */
const UNKNOWN_SLOTS = 1024;

/** Each of these has the maximum of sessions, all of them in use. */
export const FIRST_HEAVY_USER = 1;
const HEAVY_USERS = 80;
/** The maximum that a user has: a login ends the oldest beyond it. */
export const MOST_SESSIONS = 100;
/** One event in ten belongs to a heavy user: each has more than one page of an export holds. */
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
 * The kinds of sessions: of each forty this many, opened and last refreshed this many days ago, or never refreshed. The
 * first three kinds are over. Of the fourth, the refresh token expired a moment ago, when an access token may have been
 * issued just before.
 */
const KINDS = [
  { share: 8, created: 40, used: 32 },
  { share: 9, created: 20, used: 8 },
  { share: 3, created: 9, used: 9 },
  { share: 1, created: 12, used: TOKEN_DAYS, spread: 5 * 60_000 },
  { share: 14, created: 12, used: 1 },
  { share: 4, created: 0.5, used: 0.5 },
  { share: 1, created: 29.5, used: 3 },
];
const PERIOD = firstOf(KINDS.length);
const IN_USE = 4;

/** Half of the numbers belong to the frequent users, the others to any user. */
const someUser = (number) =>
  `(${FIRST_FREQUENT_USER} + ${shuffle(number)} % iif((${number}) & 1, ${FREQUENT_USERS}, ${OTHER_USERS}))`;
const sessionId = (number) => `(1 + (${shuffle(number)} << 20) + (${number}))`;
const jti = (number) => {
  const parts = [shuffle(number), ...[2654435761, 3266489917, 668265263].map((factor) => scatter(number, factor))];
  return `printf('%08x%08x%08x%08x', ${parts.join(", ")})`;
};

/** Sessions are numbered: those of any user, then those of the heavy users. */
const LAST_SESSION = SESSIONS + HEAVY_USERS * MOST_SESSIONS - 1;
const kindOfSession = `iif(n < ${SESSIONS}, n % ${PERIOD}, ${firstOf(IN_USE)})`;
const userOfSession = `iif(
  n < ${SESSIONS}, ${someUser("n")}, ${FIRST_HEAVY_USER} + (n - ${SESSIONS}) / ${MOST_SESSIONS}
)`;
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

/** A session is older than the days of its kind by some hours: activity is spread over the day. */
const SESSION_ROWS = `
  INSERT INTO sessions (id, user_id, created_at, expires_at, last_used_at, ip, user_agent,
                        refresh_id, refresh_expires_at, previous_refresh_id)
  ${numbers(0, LAST_SESSION)}, ${values(
    "kinds (first, next, created, used, spread)",
    KINDS.map(({ share, created, used, spread = 6 * HOUR }, kind) => {
      return [firstOf(kind), firstOf(kind) + share, created, used, spread];
    }),
  )}, moments AS (
    SELECT n, kinds.*, ?1 - ${shuffle("n")} % spread AS now
    FROM numbers JOIN kinds ON ${kindOfSession} BETWEEN first AND next - 1
  )
  SELECT ${sessionId("n")}, ${userOfSession}, now - created * ${DAY}, now - (created - ${SESSION_DAYS}) * ${DAY},
         now - used * ${DAY}, '192.0.2.' || (n % 256), ${DEVICE},
         ${jti("2 * n + 1")}, now - max(used - ${TOKEN_DAYS}, created - ${SESSION_DAYS}) * ${DAY},
         iif(used < created, ${jti("2 * n")}, NULL)
  FROM moments
  -- The table is ordered by this key: so it is filled from one end to the other.
  ORDER BY 1`;

const EVENT_ROWS = `
  INSERT INTO audit_events (id, created_at, type, reason, user_id, session_id, ip, user_agent, request_id)
  ${numbers(1, EVENTS)}
  SELECT n,
         iif(n <= ${OLD_EVENTS}, ?1 - ${95 * DAY} + n, ?1 - ${HOUR} - (${EVENTS} - n) * ${EVENT_INTERVAL}),
         CASE n % 8 WHEN 0 THEN 'session_ended' WHEN 1 THEN 'sign_in_refused' WHEN 2 THEN 'signed_out'
                    WHEN 3 THEN iif(n % 16 = 3, 'profile_changed', 'password_changed') ELSE 'signed_in' END,
         CASE n % 8 WHEN 0 THEN 'limit' WHEN 1 THEN 'wrong_password' END,
         CASE WHEN n % ${HEAVY_EVENTS} = 0 THEN ${FIRST_HEAVY_USER} + n / ${HEAVY_EVENTS} % ${HEAVY_USERS}
              WHEN n % 50 = 1 THEN NULL
              ELSE ${someUser("n")} END,
         CASE n % 8 WHEN 1 THEN NULL ELSE ${sessionId(`n % ${SESSIONS}`)} END,
         '192.0.2.' || (n % 256), ${DEVICE}, printf('%08x%024x', ${shuffle("n")}, n)
  FROM numbers`;

/** The rows that an account has at most: known networks and devices, and the slots of all other networks. */
const KNOWN_PLACES = 20;
export const SLOTS = 32;

/**
 * Half of the users signed in from a second network, a quarter had a failure in a slot, a third when asked again. The
 * heavy users have every row that an account can have.
 */
const place = (number) => `printf('%02d', ${number})`;
const THROTTLE_ROWS = `
  INSERT INTO throttles (key, tag, failures, recent_failures, failed_at, blocked_until, signed_in_at)
  ${numbers(1, USERS)}, places(n) AS (SELECT n - 1 FROM numbers WHERE n <= ${SLOTS})
  SELECT 'user/' || n || '/known/00', 'network/' || n, 0, 0, 0, 0, ?1 FROM numbers WHERE n % 2 = 0 AND n > ${HEAVY_USERS}
  UNION ALL SELECT 'user/' || n || '/unknown/07', NULL, 1 + n % 4, 1, ?1, 0, NULL
            FROM numbers WHERE n % 4 = 0 AND n > ${HEAVY_USERS}
  UNION ALL SELECT 'user/' || n || '/reauthentication', NULL, 1 + n % 4, 1, ?1, 0, NULL FROM numbers WHERE n % 3 = 0
  UNION ALL SELECT 'user/' || u.n || '/known/' || ${place("p.n")}, 'network/' || u.n || '/' || p.n, 0, 0, 0, 0, ?1 - p.n
            FROM numbers AS u JOIN places AS p ON p.n < ${KNOWN_PLACES} WHERE u.n <= ${HEAVY_USERS}
  UNION ALL SELECT 'user/' || u.n || '/unknown/' || ${place("p.n")}, NULL, 1, 0, 0, 0, NULL
            FROM numbers AS u JOIN places AS p WHERE u.n <= ${HEAVY_USERS}
  UNION ALL SELECT 'unknown/' || (u.n - 1) || '/unknown/' || ${place("p.n")}, NULL, 1, 1, ?1, 0, NULL
            FROM numbers AS u JOIN places AS p WHERE u.n <= ${UNKNOWN_SLOTS}`;

/** The users with the highest ids, none of whom signs in, have a proof of their address; as many proofs have no user. */
const PROOFS = 200_000;
const COUNTS = 25_000;
/** Mails whose next attempt is in an hour. */
const MAILS = 10_000;
const userOfProof = `(${USERS} - n / 2)`;
const proofId = `(1 + (${shuffle("n")} << 20) + n)`;

/** Of other users that do not sign in, three quarters of all: each has an identity at one of two providers. */
const IDENTITIES = 150_000;
const IDENTITY_ROWS = `
  INSERT INTO identities (id, user_id, provider, issuer, subject, email, created_at)
  ${numbers(0, IDENTITIES - 1)}
  SELECT ${proofId}, ${USERS} - n, iif(n % 2, 'acme', 'google'),
         iif(n % 2, 'https://login.acme.example', 'https://accounts.google.com'), printf('%08x%08x', ${shuffle("n")}, n),
         'user-' || (${USERS} - n) || '@mail.example', ?1 - n
  FROM numbers ORDER BY 1`;

/** Flows of the last minutes, which are not over before the end of the test. */
const FLOWS = 50_000;
const FLOW_ROWS = `
  INSERT INTO used_flows (id, returned_by, redeemed_by, expires_at)
  ${numbers(0, FLOWS - 1)}
  SELECT ${proofId}, n, iif(n % 3, n, NULL), ?1 + ${HOUR} + n FROM numbers ORDER BY 1`;

/** A tenth of them have expired. */
const PROOF_ROWS = `
  INSERT INTO email_proofs (id, purpose, user_id, address, password_version, is_of_owner, created_at, expires_at, code_expires_at)
  ${numbers(0, PROOFS - 1)}
  SELECT ${proofId}, iif(n % 6 < 4, 'verify', 'reset'), iif(n % 2, ${userOfProof}, NULL),
         iif(n % 2, 'user-' || ${userOfProof} || '@mail.example', NULL), iif(n % 2, 1, NULL), n % 6 < 2,
         ?1 - n, ?1 + iif(n % 10, ${DAY}, -${HOUR}) + n, ?1 - n
  FROM numbers ORDER BY 1`;

const MAIL_ROWS = `
  INSERT INTO mails (id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at)
  SELECT id - 1, purpose, user_id, address, id, created_at, expires_at, 4, ?1 + ${HOUR} FROM email_proofs
  WHERE user_id IS NOT NULL AND expires_at > ?1 LIMIT ${MAILS}`;

/** A fifth of them are over. Runs of the clean-up look at a part of them each, and are no more than for sessions. */
const COUNT_ROWS = `
  INSERT INTO mail_counts (key, window_started_at, last_at, count, nonce)
  ${numbers(0, COUNTS - 1)}
  SELECT iif(n % 2, 'address/', 'network/') || printf('%08x%024x', ${shuffle("n")}, n), ?1 - iif(n % 5, 0, ${2 * DAY}), ?1, 1, n
  FROM numbers ORDER BY 1`;

/** Fills the tables of a migrated database that is new and not in use. */
export function fill(db) {
  const now = Date.now();
  fillWith(db, () => {
    db.prepare(USER_ROWS).run(now, HASH);
    const others = [SESSION_ROWS, EVENT_ROWS, THROTTLE_ROWS, PROOF_ROWS, MAIL_ROWS, COUNT_ROWS, IDENTITY_ROWS, FLOW_ROWS];
    others.forEach((sql) => db.prepare(sql).run(now));
  });
}
