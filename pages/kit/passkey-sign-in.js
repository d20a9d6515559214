// The sign-in with a passkey alone, by a button and by the offer of the browser in the field of the address.
//
//   const passkey = createPasskeySignIn({ id, settings, redraw, intercept, done });   // options of a task
//   passkey.open();  html`${passkey.view()}`;  passkey.close();
import { html, nothing } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { ownFailure } from "./failures.js";
import { createTask } from "./form.js";
import { hasPasskeys, offerPasskeys, usePasskey } from "./passkeys.js";
import { session } from "./session.js";
import { exchange } from "./transport.js";

export function createPasskeySignIn({ settings, ...options }) {
  let stopOffer = () => {};
  const task = createTask({
    ...options,
    wait: texts.checkingPasskey,
    refusals: texts.passkeyRefusals,
    send: (chosen) => (chosen ? present(chosen) : askAndPresent()),
  });

  function open() {
    if (hasPasskeys(settings)) {
      stopOffer = offerPasskeys({ start: offered, finish: task.run });
    }
  }

  const view = () => html`
    ${task.result()}
    ${hasPasskeys(settings)
      ? html`<button type="button" class="second wide" aria-disabled=${task.isBusy ? "true" : nothing} @click=${() => task.run()}>
          ${texts.signInWithPasskey}
        </button>`
      : nothing}
  `;

  return { open, view, close: () => stopOffer() };
}

const ask = () => exchange("POST", "auth/passkey/options");
const present = (body) => session.signIn("auth/passkey", body);

/** `{flow, options}`, or undefined: an offer that fails leaves the button. */
async function offered() {
  const { status, body } = await ask();
  return status === 200 ? body : undefined;
}

async function askAndPresent() {
  const answer = await ask();
  if (answer.status !== 200) {
    return answer;
  }
  const { flow, options } = answer.body;
  const { credential, error } = await usePasskey(options);
  return error ? ownFailure(error) : present({ flow, credential });
}
