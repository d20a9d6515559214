// The second step of a sign-in: the right password, or the right mailed code, was answered by AUTH_MFA_REQUIRED. The token of
// that answer lives for five minutes and bears five wrong answers.
//
//   const step = createFactorStep({ id, settings, redraw, details, send, done, back });
//
// `send({mfa_token, …})` sends the second factor, `done(answer)` takes the success; `back()` returns to the first step.
import { html } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { createEvidence } from "./evidence.js";
import { notice } from "./ui.js";

const ATTEMPTS = 5;

export function createFactorStep({ id, settings, redraw, details, send, done, back }) {
  let wrong = 0;
  let isOver = false;
  const timer = setTimeout(finish, details.expires_in * 1000);

  function finish() {
    isOver = true;
    redraw();
    document.getElementById(`${id}-over`)?.focus();
  }

  const evidence = createEvidence({
    id,
    settings,
    redraw,
    methods: details.methods,
    passkeyOptions: () => details.passkey_options,
    submit: texts.signIn,
    wait: texts.checkingFactor,
    send: (given) => send({ mfa_token: details.mfa_token, ...given }),
    done: (answer) => {
      clearTimeout(timer);
      done(answer);
    },
    refusals: { AUTH_INVALID_CREDENTIALS: refused },
  });

  function refused() {
    wrong += 1;
    if (wrong >= ATTEMPTS) {
      clearTimeout(timer);
      // After the task has shown its result.
      queueMicrotask(finish);
    }
    return texts.wrongFactor(ATTEMPTS - wrong);
  }

  function leave() {
    clearTimeout(timer);
    back();
  }

  const view = () => html`
    <h2 class="step">${texts.secondFactor}</h2>
    ${isOver
      ? html`<div id="${id}-over" tabindex="-1" role="alert">${notice({ kind: "error", texts: [texts.factorOver] })}</div>`
      : html`<p class="quiet">${texts.secondFactorHint}</p>
          ${evidence.view()}`}
    <button type="button" class="plain" @click=${leave}>${texts.backToStart}</button>
  `;

  return { view, focus: () => evidence.focus() };
}
