// The steps between the return from another provider and the session: a mailed code, if the address has an account, and the second
// factor of that account.
//
//   const steps = createSteps({ settings, redraw, name, done });
//   createTask({ …, intercept: steps.intercept });
//   html`${steps.view() ?? other}`       // undefined as long as no step is due
import { html } from "lit-html";

import { createFactorStep } from "../kit/factor-step.js";
import { codeField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { session } from "../kit/session.js";
import { accountTexts, commonTexts } from "../texts.js";

const texts = accountTexts.federated;

export function createSteps({ settings, redraw, name, done }) {
  let step;

  const factorStep = (details) => createFactorStep({
    id: "federated-factor",
    settings,
    redraw,
    details,
    send: (given) => session.signIn("auth/mfa", given),
    done,
    back: () => location.replace("#/"),
  });

  function mailStep({ flow }) {
    const form = createForm({
      id: "federated-mail",
      redraw,
      wait: commonTexts.signingIn,
      send: ({ code }) => session.signIn("auth/federated/confirm", { flow, code }),
      intercept,
      done,
      refusals: { AUTH_INVALID_CREDENTIALS: texts.wrongCode },
    });
    const view = () => html`
      <p>${texts.mailed(name)}</p>
      ${form.view({
        fields: codeField(form, { name: "code", label: commonTexts.mailCode, hint: commonTexts.mailCodeHint, digits: 8 }),
        submit: commonTexts.signIn,
        kind: "wide",
      })}
      <p><a href="#/sign-in">${commonTexts.backToStart}</a></p>
    `;
    return { view, focus: () => form.element()?.querySelector("input").focus() };
  }

  /** Takes over the answers that are no failure of a sign-in. */
  function intercept({ status, code, details }) {
    if (code === "AUTH_MFA_REQUIRED") {
      step = factorStep(details);
    } else if (status === 401 && details.flow !== undefined) {
      step = mailStep(details);
    } else {
      return false;
    }
    redraw();
    step.focus();
    return true;
  }

  return { intercept, view: () => step?.view() };
}
