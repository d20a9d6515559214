// The steps between the return from another provider and the session: an invitation, if new accounts need one; a mailed code, if
// the address must be proven; the second factor of the account.
//
//   const steps = createSteps({ settings, redraw, name, done, exchange, isSignIn });    // `exchange({invitation})` sends it again
//   createTask({ …, intercept: steps.intercept });
//   html`${steps.view() ?? other}`       // undefined as long as no step is due
import { html } from "lit-html";

import { createFactorStep } from "../kit/factor-step.js";
import { refusesCookies } from "../kit/failures.js";
import { codeField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { session } from "../kit/session.js";
import { accountTexts, commonTexts } from "../texts.js";
import { invitationField } from "./register.js";

const texts = accountTexts.federated;
const { needsInvitation, wrongInvitation } = accountTexts.register;

export function createSteps({ settings, redraw, name, done, exchange, isSignIn }) {
  let step;
  /** `{invitation}` after its step. */
  let invited;

  const factorStep = (details) => createFactorStep({
    id: "federated-factor",
    settings,
    redraw,
    details,
    send: (given) => session.signIn("auth/mfa", given),
    done,
    back: () => location.replace("#/"),
  });

  const invitationStep = () => formStep({
    id: "federated-invitation",
    send: (values) => {
      invited = values;
      return exchange(values);
    },
    refusals: { AUTH_INVALID_CREDENTIALS: wrongInvitation, FORBIDDEN: needsInvitation },
    texts: [texts.unknown(name), needsInvitation],
    field: invitationField,
  });

  const mailStep = ({ flow }) => formStep({
    id: "federated-mail",
    send: ({ code }) => session.signIn("auth/federated/confirm", { flow, code, ...invited }),
    refusals: { AUTH_INVALID_CREDENTIALS: texts.wrongCode },
    texts: [texts.mailed(name)],
    field: (form) => codeField(form, { name: "code", label: commonTexts.mailCode, hint: commonTexts.mailCodeHint, digits: 8 }),
  });

  /** A text, one field, and the way back. */
  function formStep({ texts: paragraphs, field, ...options }) {
    const form = createForm({ ...options, redraw, wait: commonTexts.signingIn, intercept, done });
    const view = () => html`
      ${paragraphs.map((text) => html`<p>${text}</p>`)}
      ${form.view({ fields: field(form), submit: commonTexts.signIn, kind: "wide" })}
      <p><a href="#/sign-in">${commonTexts.backToStart}</a></p>
    `;
    return { view, focus: () => form.element()?.querySelector("input").focus() };
  }

  /** The step that an answer asks for, if it does. */
  function stepFor(answer) {
    const { status, code, details } = answer;
    if (code === "AUTH_MFA_REQUIRED") {
      return factorStep(details);
    }
    if (status === 401 && details.flow !== undefined) {
      return mailStep(details);
    }
    const canAsk = isSignIn && settings.registration === "invitation" && invited === undefined;
    return canAsk && code === "FORBIDDEN" && !refusesCookies(answer) ? invitationStep() : undefined;
  }

  /** Takes over the answers that are no failure of a sign-in. */
  function intercept(answer) {
    const next = stepFor(answer);
    if (next === undefined) {
      return false;
    }
    step = next;
    redraw();
    step.focus();
    return true;
  }

  return { intercept, view: () => step?.view() };
}
