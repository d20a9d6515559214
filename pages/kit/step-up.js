// The dialog for AUTH_STEP_UP_REQUIRED: the act needs a sign-in of the last ten minutes. Only `api.js` calls it; views see the
// final answer of their request.
import { html, render } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { page } from "./page.js";
import { createEvidence } from "./evidence.js";
import { openDialog } from "./dialog.js";
import { session } from "./session.js";
import { exchange } from "./transport.js";

/** Several requests wait for one dialog. */
let running;

/**
 * Asks for evidence and renews the sign-in of the session. True if the request can be sent again.
 * @param {object} refusal the answer with `details.methods` and perhaps `passkey_options`
 * @param {Function} repeat sends the refused request once more: a challenge for a passkey is valid once
 */
export function stepUp(refusal, repeat) {
  running ??= openDialog({ title: texts.stepUpTitle, open: (host, close) => open(host, close, refusal, repeat) }).finally(() => {
    running = undefined;
  });
  return running;
}

function open(host, close, { details }, repeat) {
  let options = details.passkey_options;

  /** The options of the refusal, once; then those of another one. */
  async function passkeyOptions() {
    const present = options ?? (await repeat()).details.passkey_options;
    options = undefined;
    return present;
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
    send: (given) => exchange("POST", "auth/step-up", { body: given, access: session.access() }),
    done: ({ body }) => {
      session.accept(body);
      close(true);
    },
    refusals: { AUTH_INVALID_CREDENTIALS: texts.wrongEvidence },
  });

  const draw = () => render(html`
    <p>${texts.stepUpHint}</p>
    ${evidence.view()}
    <button type="button" class="plain" @click=${() => close(false)}>${texts.cancel}</button>
  `, host);
  draw();
}
