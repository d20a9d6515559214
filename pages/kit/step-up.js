// The dialog for AUTH_STEP_UP_REQUIRED: the act needs a sign-in of the last ten minutes. Only `api.js` calls it; views see the
// final answer of their request.
import { html, nothing, render } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { createEvidence } from "./evidence.js";
import { openDialog } from "./dialog.js";
import { createMailedCode } from "./mailed-code.js";
import { page } from "./page.js";
import { createProviders, divider, nameOf } from "./providers.js";
import { session } from "./session.js";
import { exchange } from "./transport.js";

/** The service forgets a challenge for a passkey after five minutes. */
const CHALLENGE_MS = 240_000;

/** Several requests wait for one dialog. */
let running;

/**
 * Asks for evidence and renews the sign-in of the session. The result is undefined if the request can be sent again, else it is
 * the final answer.
 * @param {object} refusal the answer with `details.methods` and perhaps `passkey_options`
 * @param {Function} repeat sends the refused request once more: a challenge for a passkey is valid once
 */
export async function stepUp(refusal, repeat) {
  const isFirst = running === undefined;
  running ??= openDialog({ title: texts.stepUpTitle, open: (host, close) => open(host, close, refusal, repeat) }).finally(() => {
    running = undefined;
  });
  const { isRenewed = false, answer } = (await running) ?? {};
  // The answer is that of the first request. The others find out by themselves.
  return isRenewed || (answer && !isFirst) ? undefined : (answer ?? refusal);
}

/** The session has ended, or its token was not valid: nothing took place, and `api.js` settles that. */
const isEnded = ({ code }) => code?.startsWith("AUTH_TOKEN_");

function open(host, close, { details }, repeat) {
  const { settings, user } = page;
  const { methods = [] } = details;
  const redraw = () => draw();
  const renewed = () => close({ isRenewed: true });

  /** One request in the name of the user. */
  async function ask(path, body) {
    const valid = await session.renewIfStale();
    const answer = valid.status === 200 ? await exchange("POST", path, { body, access: session.access() }) : valid;
    if (isEnded(answer)) {
      renewed();
    }
    return answer;
  }

  const common = {
    redraw,
    submit: texts.confirm,
    wait: texts.checking,
    send: (given) => ask("auth/step-up", given),
    done: ({ body }) => {
      session.confirm(body);
      renewed();
    },
  };
  const passkeyOptions = createPasskeyOptions({ details, repeat, renewed, close });
  const evidence = createEvidence({
    ...common,
    id: "step-up",
    settings,
    email: user?.email,
    methods,
    passkeyOptions,
    refusals: { AUTH_INVALID_CREDENTIALS: texts.wrongEvidence },
  });
  const ways = [
    ...(evidence.isUsable ? [evidence] : []),
    ...(methods.includes("email_code") ? [createMail(common, ask, user)] : []),
    ...(methods.includes("federated") ? [createReturn(redraw, ask, details)] : []),
  ];
  const noWay = () => (methods.length > 0 ? evidence.view() : html`<p>${texts.confirmBySignIn}</p>`);

  const draw = () => render(html`
    ${ways.length === 0 ? noWay() : html`<p>${texts.stepUpHint}</p>`}
    ${ways.map((way, index) => html`${index > 0 ? divider() : nothing} ${way.view()}`)}
    <button type="button" class="plain" @click=${() => close()}>${texts.cancel}</button>
  `, host);
  draw();
}

/** The options of the refusal, once; then those of another one, unless the request has succeeded or failed by now. */
function createPasskeyOptions({ details, repeat, renewed, close }) {
  let options = details.passkey_options;
  const begun = Date.now();

  async function newOptions() {
    const answer = await repeat();
    if (isEnded(answer)) {
      renewed();
    } else if (answer.code !== "AUTH_STEP_UP_REQUIRED") {
      close({ answer });
    }
    return answer.details?.passkey_options;
  }

  return async () => {
    const present = Date.now() - begun < CHALLENGE_MS ? options : undefined;
    options = undefined;
    return present ?? newOptions();
  };
}

/** A code of a mail to the address of the account. */
const createMail = (common, ask, { email }) => createMailedCode({
  ...common,
  id: "step-up-mail",
  asked: texts.codeAsked,
  ask: () => ask("auth/step-up/email-code"),
  askFields: () => html`<p>${texts.codeTo(email)}</p>`,
});

/** The linked providers. The way there leaves the page, so the request cannot go on by itself. */
function createReturn(redraw, ask, { providers: linked = [] }) {
  const providers = createProviders({
    id: "step-up-provider",
    redraw,
    providers: linked.map((id) => ({ id, name: nameOf(page.settings, id) })),
    label: texts.confirmWith,
    purpose: "step-up",
    ask,
  });
  return { view: () => html`<div class="stack">${providers.view()}<p class="hint">${texts.confirmWithHint}</p></div>` };
}
