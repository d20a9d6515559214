// The session of this browser: the access token, which is in memory only, and its renewal. The refresh token is an HttpOnly
// cookie that no script sees. All tabs share one session: a Web Lock lets one of them renew it, and a BroadcastChannel tells
// the others the new access token and the sign-out.
//
//   await session.start();                            // once, at the load of the page: is there a session?
//   const answer = await session.signIn(path, body);  // the cookie comes with the answer
//   session.accept(answer.body);                      // the 200 or 201 of a sign-in
//   session.onChange((event) => …);                   // "signed-in", "signed-out"
//   await session.signOut();
import { exchangeCookie, exclusively, ifNoneRuns } from "./cookie.js";
import { isMarked, mark } from "./marker.js";
import { BASE, exchange } from "./transport.js";

/** Held, together with others, by each tab that has an access token. */
const PRESENCE = `edge-auth tab ${BASE}`;
/** An access token that expires so soon is renewed before it is sent. */
const MARGIN_MS = 30_000;
/** A tab that had to wait for the lock gives the message of the tab before so long to arrive. */
const MESSAGE_MS = 250;
/** In place of an answer that belongs to a session of before, or of a request that has none. */
const OVER = { status: 401, body: {}, seconds: 0, code: "AUTH_TOKEN_INVALID", details: {} };

const channel = new BroadcastChannel(`edge-auth session ${BASE}`);
const listeners = new Set();
const arrivals = new EventTarget();

/** The token of the session, `{access, expiresAt, subject, methods}`, which all tabs share; undefined without a session. */
let shared;
/** The token of a step-up, which stays in this tab. It is worth more than the other one for as long as it is valid. */
let fresh;
/** The id of the user whose data the page shows. It outlives a session that ended by itself. */
let owner;
/** Counts the sessions that were forgotten: an answer to one of before counts no more. */
let era = 0;
/** Has another user signed in? Then the page is about to start anew, and its token is no more that of the cookie. */
let isLeaving = false;
/** Gives the lock of this tab back. */
let leave = () => {};

export const session = {
  /** The access token; undefined without a session. */
  access: () => current()?.access,
  /** Is the access token refused, or about to expire? */
  isStale: () => current() !== undefined && !isGood(current()),
  /** The kinds of evidence of the sign-in (`amr`). */
  methods: () => current()?.methods ?? [],
  /** A function that tells whether the present session was left since: a request of it has no place in the next one. */
  watch() {
    const own = era;
    return () => own !== era || owner === undefined;
  },
  OVER,
  start,
  signIn,
  accept,
  confirm,
  renew,
  renewIfStale: async () => (session.isStale() ? renew() : { status: 200 }),
  signOut,
  end,
  forget,
  /** Calls a function with "signed-in" or "signed-out", also for changes in other tabs. Returns a function that ends this. */
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

const isGood = (token) => token !== undefined && token.expiresAt - Date.now() >= MARGIN_MS;
const current = () => (isGood(fresh) ? fresh : shared);

/** Finds out whether this browser has a session: the status of the answer is 200 then, and 401 without one. */
async function start() {
  if (!isMarked()) {
    return OVER;
  }
  return (await isTold()) ? { status: 200 } : renew();
}

/** Asks the other tabs for their access token, if there are others. */
async function isTold() {
  const { held } = await navigator.locks.query();
  if (held.some(({ name }) => name === PRESENCE)) {
    const answered = message();
    channel.postMessage({ type: "question" });
    await answered;
  }
  return shared !== undefined;
}

/** Sends a sign-in whose refresh token comes as a cookie. */
function signIn(path, body) {
  return exclusively(() => exchange("POST", path, { body: { ...body, token_delivery: "cookie" } }));
}

/** Takes over the tokens of a sign-in. */
function accept(body) {
  const isFirst = shared === undefined;
  mark(true);
  if (share(body) && isFirst) {
    notify("signed-in");
  }
}

/** Takes over the token of a step-up. */
function confirm(body) {
  fresh = tokenOf(body);
}

/** Exchanges the cookie for a new access token, unless another tab does so at the same time. Returns the last answer. */
async function renew() {
  const own = era;
  fresh = undefined;
  if (shared !== undefined) {
    shared.expiresAt = 0;
  }
  return (await ifNoneRuns(() => refresh(own))) ?? exclusively(() => refreshUnlessDone(own));
}

async function refreshUnlessDone(own) {
  if (!isGood(shared) && own === era) {
    await message();
  }
  if (own !== era) {
    return OVER;
  }
  return isGood(shared) ? { status: 200 } : refresh(own);
}

/** Waits for the message of another tab. */
function message() {
  return new Promise((done) => {
    arrivals.addEventListener("message", done, { once: true });
    setTimeout(done, MESSAGE_MS);
  });
}

async function refresh(own) {
  const answer = await exchangeCookie();
  if (own !== era) {
    return OVER;
  }
  if (answer.status === 200) {
    share(answer.body);
  } else if (isGood(shared)) {
    // Another tab has signed in concurrently, or has renewed.
    return { status: 200 };
  } else if (answer.status === 401 || answer.status === 403) {
    shared = undefined;
    mark(false);
  }
  return answer;
}

/** Ends the session at the service, and here. Without an answer everything stays: the cookie would sign in again. */
function signOut() {
  return exclusively(async () => {
    const answer = await exchange("POST", "auth/logout");
    if (answer.status === 200 || answer.status === 401) {
      conclude();
    }
    return answer;
  });
}

/** Forgets the session in all tabs, because the service has ended it. A sign-out without a session clears the cookie. */
function end() {
  exclusively(() => exchange("POST", "auth/logout"));
  conclude();
}

function conclude() {
  channel.postMessage({ type: "signed-out" });
  forget();
}

/** Forgets the session in this tab. */
function forget() {
  era += 1;
  shared = undefined;
  fresh = undefined;
  owner = undefined;
  leave();
  mark(false);
  notify("signed-out");
}

const notify = (event) => listeners.forEach((listener) => listener(event));

/** Takes over a token of the session, and tells it to the other tabs. */
function share(body) {
  const token = tokenOf(body);
  channel.postMessage({ type: "token", token });
  return keep(token);
}

/** Takes over a token. That of another user starts the page anew: nothing on it belongs to that account. Then the result is false. */
function keep(token) {
  if (owner !== undefined && token.subject !== owner) {
    isLeaving = true;
    location.reload();
    return false;
  }
  if (owner === undefined) {
    owner = token.subject;
    navigator.locks.request(PRESENCE, { mode: "shared" }, () => new Promise((release) => (leave = release)));
  }
  shared = token;
  return true;
}

function tokenOf({ access_token: access, expires_in: seconds }) {
  const { sub, amr = [] } = claimsOf(access);
  return { access, subject: sub, methods: amr, expiresAt: Date.now() + seconds * 1000 };
}

/** The claims, for comparisons only: the service is the one that checks tokens. */
function claimsOf(access) {
  try {
    const [, payload] = access.split(".");
    return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

channel.addEventListener("message", ({ data: { type, token } }) => {
  if (type === "question") {
    tell();
    return;
  }
  const isFirst = shared === undefined;
  if (type === "signed-out") {
    forget();
  } else if (keep(token) && isFirst) {
    notify("signed-in");
  }
  arrivals.dispatchEvent(new Event("message"));
});

/** Answers a tab that was opened just now. */
function tell() {
  if (isGood(shared) && !isLeaving) {
    channel.postMessage({ type: "token", token: shared });
  }
}
