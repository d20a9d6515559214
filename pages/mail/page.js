// Shared by the pages behind mailed links: the token of the link, requests with their waits, failures, results.
// All words are in the HTML. No page sends anything by itself, because programs that inspect mails open their links, too.

/** A password hash may wait for others. After a longer silence the answer is taken as lost. */
const PATIENCE_MS = 60_000;
/** Longer waits are told in minutes, and from this many minutes on in hours. */
const LONGEST_COUNT = 90;

export const element = (id) => document.getElementById(id);
const result = element("result");

/** Is a request on its way? */
export let isBusy = false;

const textOf = (name) => element("words").content.querySelector(`[data-name="${name}"]`)?.textContent;

/** Does the page have this text? */
export const hasWords = (name) => textOf(name) !== undefined;

/** A text of the page, with values in it. */
export function words(name, values = {}) {
  return textOf(name).replace(/\s+/g, " ").trim().replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/**
 * Takes the token out of the address, so that neither the history nor a copied address has it. A second link in the
 * same tab changes the fragment only, and loads nothing.
 */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    history.replaceState(null, "", location.pathname + location.search);
  }
  return token;
}

/**
 * Memory alone would lose the token: while its owner looks up a code or a password, a phone drops the tab and loads it
 * again. Session storage belongs to this tab and ends with it. Where it is blocked, a reload needs the link again.
 */
export function store(name, value) {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Memory has it.
  }
}

/** The value of before, or an empty one. */
export function stored(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name)) ?? {};
  } catch {
    // As in a new tab.
    return {};
  }
}

/** A request, perhaps with an access token. Paths are relative: the page may stand below a base path. */
async function request(path, options, access) {
  try {
    const authorization = access === undefined ? {} : { Authorization: `Bearer ${access}` };
    const response = await fetch(new URL(path, location.href), {
      ...options,
      headers: { ...options.headers, ...authorization },
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

/** Posts JSON. Without an answer, the status is 0. */
export function post(path, value, access) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(value) }, access);
}

/** Reads in the name of a user. */
export const read = (path, access) => request(path, {}, access);

/** One piece of work at a time, with its wait on the page. */
export async function attempt(form, wait, work) {
  const buttons = form.querySelectorAll("button");
  isBusy = true;
  clearFaults();
  buttons.forEach((button) => (button.disabled = true));
  show("wait", [words(wait)]);
  try {
    return await work();
  } finally {
    buttons.forEach((button) => (button.disabled = false));
    isBusy = false;
  }
}

/** "30 seconds", in the language of the page. */
export function duration(seconds) {
  if (!(seconds > 0)) {
    return words("soon");
  }
  const counts = { second: seconds, minute: seconds / 60, hour: seconds / 3600 };
  const [unit, count] = Object.entries(counts).find(([name, count]) => count <= LONGEST_COUNT || name === "hour");
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" });
  return format.format(Math.ceil(count));
}

/** The words for a failure that has nothing to do with the input. */
export function failure({ status, seconds }) {
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
export function show(kind, texts, requestId) {
  const paragraph = (textContent, className = "") =>
    Object.assign(document.createElement("p"), { textContent, className });
  const number = requestId ? [paragraph(words("request", { id: requestId }), "small")] : [];
  result.dataset.kind = kind;
  result.replaceChildren(...texts.map((text) => paragraph(text)), ...number);
}

export function clearFaults() {
  for (const input of document.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    element(`${input.name}-error`).textContent = "";
  }
}

/** Leads to the account, where the deployment has that page. */
export async function offerAccount() {
  const answer = await fetch("pages/settings.json").catch(() => undefined);
  const settings = answer?.ok ? await answer.json().catch(() => ({})) : {};
  element("account").hidden = settings.pages !== true;
}

/** The members of the body that a 422 complains about, and the complaints. */
export const faultsOf = ({ body }) => (body.error?.details?.errors ?? []).map(({ loc, msg }) => ({ name: loc.at(-1), msg }));

/** Shows a refusal of the input at its fields, and moves to the first of them. False for any other failure. */
export function showFaults(form, answer) {
  const faults = answer.status === 422 ? faultsOf(answer) : [];
  const inputs = faults.map(({ name }) => form.elements.namedItem(name));
  if (inputs.length === 0 || inputs.some((input) => input === null || input.disabled)) {
    return false;
  }
  faults.forEach(({ name, msg }, index) => {
    // "value must have at least 8 characters"
    const fault = words(`fault-${name}`, { fault: msg.replace(/^(value|field) /, "") });
    element(`${name}-error`).append(`${fault} `);
    inputs[index].setAttribute("aria-invalid", "true");
  });
  show("error", [words("faulty")], answer.requestId);
  inputs[0].focus();
  return true;
}
