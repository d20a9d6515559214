// The page behind a mailed link: it takes the token out of the address, waits for a click, posts, and shows the result.
// Without a token, or with one that the service refuses, it asks for a new mail and takes its code. A page without the form
// for it takes links only. It sends nothing by itself, because programs that inspect mails open their links, too. All words are
// in the HTML.

/** A password hash may wait for others. After a longer silence the answer is taken as lost. */
const PATIENCE_MS = 60_000;
/** The service sends an address one mail a minute, and answers alike if it sends none. */
const PAUSE_MS = 60_000;
/** Longer waits are told in minutes, and from this many minutes on in hours. */
const LONGEST_COUNT = 90;

const element = (id) => document.getElementById(id);
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
let isBusy = false;
/** Did an attempt end without an answer? Then the service may have carried it out. */
let isUncertain = false;

/** A text of the page, with values in it. */
function words(name, values = {}) {
  const { textContent } = element("words").content.querySelector(`[data-name="${name}"]`);
  return textContent.replace(/\s+/g, " ").trim().replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/**
 * Memory alone would lose the token: while its owner looks up a code or a password, a phone drops the tab and loads it
 * again. Session storage belongs to this tab and ends with it. Where it is blocked, a reload needs the link again.
 */
function keep(value) {
  kept = value;
  try {
    sessionStorage.setItem(page.name, JSON.stringify(value));
  } catch {
    // Memory has it.
  }
}

function recall() {
  try {
    kept = JSON.parse(sessionStorage.getItem(page.name)) ?? {};
  } catch {
    // As in a new tab.
  }
}

/** Posts JSON, relative to the page, which may stand below a base path. Without an answer, the status is 0. */
async function post(path, value) {
  try {
    const response = await fetch(new URL(path, location.href), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(value),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const { status, headers } = response;
    // A proxy in between may answer with a page of its own.
    const body = await response.json().catch(() => ({}));
    const requestId = body.request_id ?? headers.get("X-Request-ID");
    return { status, body, requestId, seconds: Number(headers.get("Retry-After")) };
  } catch {
    return { status: 0, body: {} };
  }
}

/** One request at a time, with its wait on the page. */
async function send(form, wait, path, value) {
  const buttons = form.querySelectorAll("button");
  isBusy = true;
  clearFaults();
  buttons.forEach((button) => (button.disabled = true));
  show("wait", [words(wait)]);
  const answer = await post(path, value);
  buttons.forEach((button) => (button.disabled = false));
  isBusy = false;
  return answer;
}

/** "30 seconds", in the language of the page. */
function duration(seconds) {
  if (!(seconds > 0)) {
    return words("soon");
  }
  const counts = { second: seconds, minute: seconds / 60, hour: seconds / 3600 };
  const [unit, count] = Object.entries(counts).find(([name, count]) => count <= LONGEST_COUNT || name === "hour");
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" });
  return format.format(Math.ceil(count));
}

/** The words for a failure that has nothing to do with the input. */
function failure({ status, seconds }) {
  switch (status) {
    case 0:
      return words("unreachable");
    case 429:
      return words("wait", { time: duration(seconds) });
    case 503:
      return words("later", { time: duration(seconds) });
    default:
      return words("failed", { status });
  }
}

/** Shows texts in the place for results. `kind` chooses the colour: wait, note, done or error. */
function show(kind, texts, requestId) {
  const paragraph = (textContent, className = "") =>
    Object.assign(document.createElement("p"), { textContent, className });
  const number = requestId ? [paragraph(words("request", { id: requestId }), "small")] : [];
  result.dataset.kind = kind;
  result.replaceChildren(...texts.map((text) => paragraph(text)), ...number);
}

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

function clearFaults() {
  for (const input of document.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    element(`${input.name}-error`).textContent = "";
  }
}

/** The members of the body that a 422 complains about, and the complaints. */
const faultsOf = ({ body }) => (body.error?.details?.errors ?? []).map(({ loc, msg }) => ({ name: loc.at(-1), msg }));

/** Shows a refusal of the input at its fields, and moves to the first of them; any other failure as a result. */
function fail(form, answer) {
  const faults = answer.status === 422 ? faultsOf(answer) : [];
  const inputs = faults.map(({ name }) => form.elements.namedItem(name));
  if (inputs.length === 0 || inputs.some((input) => input === null || input.disabled)) {
    conclude("error", [failure(answer)], answer.requestId);
    return;
  }
  faults.forEach(({ name, msg }, index) => {
    // "value must have at least 8 characters"
    const fault = words(`fault-${name}`, { fault: msg.replace(/^(value|field) /, "") });
    element(`${name}-error`).append(`${fault} `);
    inputs[index].setAttribute("aria-invalid", "true");
  });
  show("error", [words("faulty")], answer.requestId);
  inputs[0].focus();
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

/**
 * Takes the token out of the address, so that neither the history nor a copied address has it. A second link in the
 * same tab changes the fragment only, and loads nothing.
 */
function open() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    history.replaceState(null, "", location.pathname + location.search);
    keep({ token });
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
  recall();
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
