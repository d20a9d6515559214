// The session of this browser: the access token, which is in memory only, and its renewal. The refresh token is an HttpOnly
// cookie that no script sees. All tabs share one session: a Web Lock lets one of them renew it, and a BroadcastChannel tells
// the others the new access token and the sign-out.
//
//   await session.start();              // once, at the load of the page: is there a session?
//   session.accept(answer.body);        // the 200 or 201 of a sign-in
//   session.onChange((event) => …);     // "signed-in", "signed-out"
//   await session.signOut();
import { BASE, exchange } from "./transport.js";

/** Says that a sign-in took place, and nothing about it. Without it a refresh at the load of the page is pointless. */
const MARKER = `edge-auth signed-in ${BASE}`;
const LOCK = `edge-auth refresh ${BASE}`;
/** Held, together with others, by each tab that has an access token. */
const PRESENCE = `edge-auth tab ${BASE}`;
/** An access token that expires so soon is renewed before it is sent. */
const MARGIN_MS = 30_000;
/** The service takes the same cookie again within ten seconds, so a lost answer costs no session. No attempt begins later. */
const RETRIES_MS = [500, 1000, 2000, 4000];
const LAST_RETRY_MS = 9000;
/** An answer that takes so long is asked for again, while that is still possible: longer than the service waits for its database. */
const SILENCE_MS = 6000;
/** A tab that had to wait for the lock gives the message of the tab before so long to arrive. */
const MESSAGE_MS = 250;

/** The bodies of all sign-ins of the pages: the refresh token comes as a cookie. */
export const inCookies = (body) => ({ ...body, token_delivery: "cookie" });

const channel = new BroadcastChannel(`edge-auth session ${BASE}`);
const listeners = new Set();
const arrivals = new EventTarget();

/** `{access, expiresAt, subject, authTime, methods, isSpent}`; undefined without a session. */
let current;
/** The id of the user whose data the page shows. It outlives a session that ended by itself. */
let owner;
/** Gives the lock of this tab back. */
let leave = () => {};

export const session = {
  /** The access token; undefined without a session. */
  access: () => current?.access,
  /** Is the access token refused, or about to expire? */
  isStale: () => current !== undefined && (current.isSpent || current.expiresAt - Date.now() < MARGIN_MS),
  /** The kinds of evidence of the sign-in (`amr`). */
  methods: () => current?.methods ?? [],
  start,
  accept,
  renew,
  signOut,
  end,
  /** Calls a function with "signed-in" or "signed-out", also for changes in other tabs. Returns a function that ends this. */
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

/** Finds out whether this browser has a session: the status of the answer is 200 then, and 401 without one. */
async function start() {
  if (!marker()) {
    return { status: 401 };
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
  return current !== undefined;
}

/** Takes over the tokens of a sign-in, or the fresh token of a step-up, which stays in this tab. */
function accept(body) {
  const isSignIn = current === undefined;
  mark(true);
  if (keep(tokenOf(body)) && isSignIn) {
    channel.postMessage({ type: "token", token: current });
    notify("signed-in");
  }
}

/** Exchanges the cookie for a new access token, unless another tab does so at the same time. Returns the last answer. */
async function renew() {
  if (current !== undefined) {
    current.isSpent = true;
  }
  const answer = await navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => lock && refresh());
  return answer ?? navigator.locks.request(LOCK, refreshUnlessDone);
}

async function refreshUnlessDone() {
  const isDone = () => current !== undefined && !session.isStale();
  if (!isDone()) {
    await message();
  }
  return isDone() ? { status: 200 } : refresh();
}

/** Waits for the message of another tab. */
function message() {
  return new Promise((done) => {
    arrivals.addEventListener("message", done, { once: true });
    setTimeout(done, MESSAGE_MS);
  });
}

async function refresh() {
  const answer = await exchangeCookie();
  if (answer.status === 200) {
    keep(tokenOf(answer.body));
    channel.postMessage({ type: "token", token: current });
  } else if (answer.status === 401 || answer.status === 403) {
    current = undefined;
    mark(false);
  }
  return answer;
}

async function exchangeCookie() {
  const begun = performance.now();
  const attempt = (patience) => exchange("POST", "auth/refresh", { patience });
  let answer = await attempt(SILENCE_MS);
  for (const pause of RETRIES_MS) {
    if (answer.status !== 0 || performance.now() - begun + pause > LAST_RETRY_MS) {
      break;
    }
    await new Promise((done) => setTimeout(done, pause));
    const isLast = performance.now() - begun + SILENCE_MS > LAST_RETRY_MS;
    answer = await attempt(isLast ? undefined : SILENCE_MS);
  }
  return answer;
}

/** Ends the session at the service, and here. Without an answer everything stays: the cookie would sign in again. */
async function signOut() {
  const answer = await exchange("POST", "auth/logout");
  if (answer.status === 200 || answer.status === 401) {
    conclude();
  }
  return answer;
}

/** Forgets the session in all tabs, because the service has ended it. A sign-out without a session clears the cookie. */
function end() {
  exchange("POST", "auth/logout");
  conclude();
}

function conclude() {
  channel.postMessage({ type: "signed-out" });
  forget();
}

function forget() {
  current = undefined;
  owner = undefined;
  leave();
  mark(false);
  notify("signed-out");
}

const notify = (event) => listeners.forEach((listener) => listener(event));

/**
 * Takes over a token. The token of a step-up is worth more than a renewed one for as long as it is valid. A token of another
 * user starts the page anew: nothing on it belongs to that account. Then the result is false.
 */
function keep(token) {
  if (owner !== undefined && token.subject !== owner) {
    location.reload();
    return false;
  }
  if (owner === undefined) {
    owner = token.subject;
    navigator.locks.request(PRESENCE, { mode: "shared" }, () => new Promise((release) => (leave = release)));
  }
  if (current === undefined || token.authTime >= current.authTime || session.isStale()) {
    current = token;
  }
  return true;
}

function tokenOf({ access_token: access, expires_in: seconds }) {
  const { sub, auth_time: authTime = 0, amr = [] } = claimsOf(access);
  return { access, subject: sub, authTime, methods: amr, expiresAt: Date.now() + seconds * 1000 };
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
  const isSignIn = current === undefined;
  if (type === "signed-out") {
    forget();
  } else if (keep(token) && isSignIn) {
    notify("signed-in");
  }
  arrivals.dispatchEvent(new Event("message"));
});

/** Answers a tab that was opened just now. */
function tell() {
  if (current !== undefined && !session.isStale()) {
    channel.postMessage({ type: "token", token: current });
  }
}

// Storage may be blocked. Then a new tab asks for the session by itself.
function marker() {
  try {
    return localStorage.getItem(MARKER) !== null;
  } catch {
    return true;
  }
}

function mark(isSignedIn) {
  try {
    if (isSignedIn) {
      localStorage.setItem(MARKER, "1");
    } else {
      localStorage.removeItem(MARKER);
    }
  } catch {
    // The answer of the refresh says the same.
  }
}
