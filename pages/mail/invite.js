// The page of a mailed invitation. Its owner makes an account with the invited address, or signs in to one, and gets the
// role. The page signs out again, because the session would be of no use: the role is for another application.
import { attempt, clearFaults, element, failure, hasWords, isBusy, offerAccount, post } from "./page.js";
import { read, show, showFaults, store, stored, takeToken, words } from "./page.js";

const NAME = "edge-auth invite";
const [form, result, reveal] = ["act", "result", "reveal"].map(element);
const { password, full_name: fullName } = form.elements;

/** Undefined without a link, and once the invitation is of no more use. */
let token;
/** Did an attempt end without an answer of the service? Then it may have accepted the invitation. */
let isUncertain = false;

/** Makes an account that has the role. */
async function create(value) {
  const answer = await post("auth/register", { ...value, invitation: token });
  if (answer.status !== 201) {
    return { step: "create", answer };
  }
  const { body } = await read("users/me", answer.body.access_token);
  return granted(answer.body, body.roles?.[0]);
}

/** Signs in to an account, and accepts. */
async function enter(value) {
  const signedIn = await post("auth/login", value);
  if (signedIn.status !== 200) {
    return { step: "enter", answer: signedIn };
  }
  const answer = await post("invitations/accept", { token }, signedIn.body.access_token);
  if (answer.status === 201) {
    return granted(signedIn.body, answer.body);
  }
  await signOut(signedIn.body);
  return { step: "accept", answer };
}

const WAYS = { create, enter };

/** A session that could not be ended is harmless: its tokens are lost with this page. */
const signOut = ({ refresh_token }) => post("auth/logout", { refresh_token });

/** The text for a granted role, after the end of the session. Where it is granted is worth an attempt only. */
async function granted(tokens, { role, university_id: id } = {}) {
  const place = id ? await read(`universities/${id}`, tokens.access_token) : { body: {} };
  await signOut(tokens);
  if (!hasWords(`role-${role}`)) {
    return { done: words("done-plain") };
  }
  const { name: university } = place.body;
  return { done: words(university ? "done" : "done-role", { role: words(`role-${role}`), university }) };
}

async function submit(event) {
  event.preventDefault();
  if (isBusy) {
    return;
  }
  const { mode, ...value } = Object.fromEntries(new FormData(form));
  reveal.checked = false;
  toggle();
  const { done, step, answer } = await attempt(form, mode, () => WAYS[mode](value));
  if (done) {
    form.reset();
    forget();
    conclude("done", [done, words("goodbye")]);
    offerAccount();
  } else {
    refuse(step, answer);
  }
}

/** The name of the words for a refusal. One code of the service can have two reasons. */
function reason(step, { status, body: { error } }) {
  const message = error?.message ?? "";
  if (step === "create" && /closed/.test(message)) {
    return "create-closed";
  }
  return step === "accept" && /too many/.test(message) ? "accept-full" : `${step}-${error?.code ?? status}`;
}

function refuse(step, answer) {
  const name = reason(step, answer);
  if (!hasWords(name)) {
    isUncertain ||= step !== "enter" && (answer.status === 0 || answer.status >= 500);
    if (!showFaults(form, answer)) {
      conclude("error", [failure(answer)], answer.requestId);
    }
    return;
  }
  const isSpent = step !== "enter" && answer.status === 401;
  if (isSpent) {
    forget();
  }
  if (["create-CONFLICT", "create-202"].includes(name)) {
    form.elements.mode.value = "enter";
  }
  const isNote = answer.status === 202 || name.endsWith("-CONFLICT");
  const texts = [words(name), ...(isSpent && isUncertain ? [words("unanswered")] : [])];
  conclude(isNote ? "note" : "error", texts, isNote ? undefined : answer.requestId);
}

/** A result, and the focus on it: keyboard and screen reader go on from there. */
function conclude(kind, texts, requestId) {
  arrange();
  show(kind, texts, requestId);
  result.focus();
}

function forget() {
  token = undefined;
  store(NAME, {});
}

/** Shows the fields of the chosen way. Typed texts stay. */
function arrange() {
  const mode = form.elements.mode.value;
  form.hidden = token === undefined;
  form.querySelectorAll("[data-mode]").forEach((part) => (part.hidden = part.dataset.mode !== mode));
  password.autocomplete = mode === "create" ? "new-password" : "current-password";
  // A disabled field is not sent.
  fullName.disabled = mode !== "create";
}

function choose() {
  clearFaults();
  show("note", []);
  arrange();
}

function toggle() {
  password.type = reveal.checked ? "text" : "password";
}

/** The link at hand, or a second one in the same tab. */
function open() {
  const taken = takeToken();
  if (taken) {
    token = taken;
    element("account").hidden = true;
    store(NAME, { token });
    isUncertain = false;
  }
  choose();
  if (token === undefined) {
    show("note", [words("no-link")]);
  }
}

({ token } = stored(NAME));
form.addEventListener("submit", submit);
form.addEventListener("change", ({ target }) => target.name === "mode" && choose());
reveal.addEventListener("change", toggle);
addEventListener("hashchange", open);
open();
