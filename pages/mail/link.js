// The page behind a mailed link: it takes the token out of the address, waits for a click, posts, and shows the result.
// Without a token, or with one that the service refuses, it asks for a new mail and takes its code. A page without the form
// for it takes links only. It sends nothing by itself, because programs that inspect mails open their links, too. All words are
// in the HTML.
import { attempt, clearFaults, duration, element, failure, faultsOf, isBusy, offerAccount } from "./page.js";
import { post, show, showFaults, store, stored, takeToken, words } from "./page.js";

/** The service sends an address one mail a minute, and answers alike if it sends none. */
const PAUSE_MS = 60_000;

const [ask, act, result, reveal, back, next] = ["ask", "act", "result", "reveal", "back", "next"].map(element);
const secret = act.querySelector("[type=password]");

/** The options of `start`. */
let page;
/** The token of the link, or the flow of a mail that was asked for; neither, until there is one. */
let kept = {};
/** Is the person about to ask for another mail? */
let isAsking = false;
/** The address and the moment of the last mail that was asked for. */
let asked = { email: "", at: 0 };
/** Did an attempt end without an answer? Then the service may have carried it out. */
let isUncertain = false;

function keep(value) {
  kept = value;
  store(page.name, value);
}

/** One request at a time, with its wait on the page. */
const send = (form, wait, path, value) => attempt(form, wait, () => post(path, value));

/** A result, and the focus on it: keyboard and screen reader go on from there. */
function conclude(kind, texts, requestId) {
  arrange();
  show(kind, texts, requestId);
  result.focus();
}

/** Shows the form for the token or flow at hand, or for a new one. Typed texts stay in both. */
function arrange() {
  const hasLink = kept.token !== undefined;
  const canAct = hasLink || kept.flow !== undefined;
  act.hidden = isAsking || !canAct;
  if (!ask) {
    return;
  }
  ask.hidden = !act.hidden;
  back.hidden = !canAct;
  element("code-part").hidden = hasLink;
  // A disabled field is neither required nor sent.
  act.elements.code.disabled = hasLink;
}

/** Shows a refusal of the input at its fields, and any other failure as a result. */
function fail(form, answer) {
  if (!showFaults(form, answer)) {
    conclude("error", [failure(answer)], answer.requestId);
  }
}

async function asking(event) {
  event.preventDefault();
  if (isBusy) {
    return;
  }
  const value = Object.fromEntries(new FormData(ask));
  const pauseMs = asked.at + PAUSE_MS - Date.now();
  if (value.email === asked.email && pauseMs > 0) {
    // The code of the mail that is on its way belongs to the flow of before.
    isAsking = false;
    conclude("note", [words("too-soon", { time: duration(pauseMs / 1000) })]);
    return;
  }
  const answer = await send(ask, "asking", page.asks, value);
  if (answer.status !== 202) {
    fail(ask, answer);
    return;
  }
  keep({ flow: answer.body.flow });
  asked = { email: value.email, at: Date.now() };
  isAsking = false;
  isUncertain = false;
  act.elements.code.value = "";
  conclude("note", [words("asked")]);
}

async function acting(event) {
  event.preventDefault();
  if (isBusy) {
    return;
  }
  const value = { ...kept, ...Object.fromEntries(new FormData(act)) };
  if (reveal) {
    reveal.checked = false;
    toggle();
  }
  const answer = await send(act, "acting", page.acts, value);
  // A damaged token is refused by its form.
  const isRefused = answer.status === 401 || faultsOf(answer).some(({ name }) => name === "token" || name === "flow");
  if (answer.status === 200) {
    succeed(answer);
  } else if (isRefused) {
    refuse(answer);
  } else {
    isUncertain ||= answer.status === 0;
    fail(act, answer);
  }
}

function succeed({ body }) {
  keep({});
  act.reset();
  conclude("done", [words("done", body)]);
  if (ask) {
    ask.hidden = true;
    offerAccount();
  } else {
    next.hidden = false;
  }
}

/** The link or the code is of no use, or the password is wrong. */
function refuse({ requestId }) {
  const isSpent = page.isSpentWhenRefused && kept.token !== undefined;
  if (isSpent) {
    keep({});
  }
  const texts = [words(isSpent ? "spent" : "refused"), ...(isUncertain ? [words("unanswered")] : [])];
  conclude("error", texts, requestId);
  if (!ask) {
    next.hidden = false;
  }
}

function toggle() {
  secret.type = reveal.checked ? "text" : "password";
}

/** To the question for the address, or back from it. The token or flow of before is kept until there is another one. */
function turn(toAsking) {
  isAsking = toAsking;
  clearFaults();
  show("note", []);
  arrange();
  (toAsking ? ask.elements.email : secret).focus();
}

/** The link at hand, or a second one in the same tab. */
function open() {
  const token = takeToken();
  if (token) {
    keep({ token });
    if (ask) {
      element("account").hidden = true;
    }
    isAsking = false;
    isUncertain = false;
    clearFaults();
    show("note", []);
    if (!ask) {
      next.hidden = true;
    }
  }
  arrange();
  if (!ask && act.hidden) {
    show("note", [words("no-link")]);
  }
}

/**
 * Starts the page.
 * @param {object} options
 * @param {string} options.name of the page's entry in the session storage
 * @param {string} [options.asks] path that sends a mail, of a page that asks for one
 * @param {string} options.acts path that takes the token, or the flow and the code
 * @param {boolean} options.isSpentWhenRefused does a refusal mean that the link is of no more use?
 */
export function start(options) {
  page = options;
  kept = stored(page.name);
  act.addEventListener("submit", acting);
  if (ask) {
    ask.addEventListener("submit", asking);
    reveal.addEventListener("change", toggle);
    element("again").addEventListener("click", () => turn(true));
    back.addEventListener("click", () => turn(false));
  }
  addEventListener("hashchange", open);
  open();
}
