// The dialog for AUTH_STEP_UP_REQUIRED: the act needs a sign-in of the last ten minutes. Only `api.js` calls it; views see the
// final answer of their request.
import { html, render } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { page } from "./page.js";
import { createEvidence } from "./evidence.js";
import { openDialog } from "./dialog.js";
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
  const renewed = () => close({ isRenewed: true });
  let options = details.passkey_options;
  const begun = Date.now();

  /** The options of the refusal, once; then those of another one, unless the request has succeeded or failed by now. */
  async function passkeyOptions() {
    const present = Date.now() - begun < CHALLENGE_MS ? options : undefined;
    options = undefined;
    return present ?? newOptions();
  }

  async function newOptions() {
    const answer = await repeat();
    if (isEnded(answer)) {
      renewed();
    } else if (answer.code !== "AUTH_STEP_UP_REQUIRED") {
      close({ answer });
    }
    return answer.details?.passkey_options;
  }

  async function send(given) {
    const valid = await session.renewIfStale();
    const answer = valid.status === 200 ? await exchange("POST", "auth/step-up", { body: given, access: session.access() }) : valid;
    if (isEnded(answer)) {
      renewed();
    }
    return answer;
  }

  const evidence = createEvidence({
    id: "step-up",
    settings: page.settings,
    email: page.user?.email,
    redraw: () => draw(),
    methods: details.methods ?? [],
    passkeyOptions,
    submit: texts.confirm,
    wait: texts.checking,
    send,
    done: ({ body }) => {
      session.confirm(body);
      renewed();
    },
    refusals: { AUTH_INVALID_CREDENTIALS: texts.wrongEvidence },
  });

  const draw = () => render(html`
    <p>${texts.stepUpHint}</p>
    ${evidence.view()}
    <button type="button" class="plain" @click=${() => close()}>${texts.cancel}</button>
  `, host);
  draw();
}
