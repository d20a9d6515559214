// The mailed code that the first second factor of some roles needs: 403 with `required` `email_code`.
//
//   const enrolment = createEnrolment({ redraw, id, send });
//   await enrolment.start();            // sends without a code; asks for one if it is needed
//   html`${enrolment.view()}`           // the form for the code, as long as it is needed
//
// `send(body)` sends the request that begins to enrol; its answer is `start`'s or that of the code's form, through `done`.
import { html, nothing } from "lit-html";

import { request } from "../kit/api.js";
import { createMailedCode } from "../kit/mailed-code.js";
import { createTask } from "../kit/form.js";
import { accountTexts } from "../texts.js";

const texts = accountTexts.security.enrolment;

export function createEnrolment({ redraw, id, wait, send, done, refusals }) {
  let isNeeded = false;

  function finish(answer, values) {
    isNeeded = false;
    return done(answer, values);
  }

  const code = createMailedCode({
    id: `${id}-mail`,
    redraw,
    wait,
    refusals,
    submit: texts.submit,
    asked: texts.asked,
    ask: () => request("POST", "users/me/mfa/email-code"),
    askFields: () => html`<p>${texts.hint}</p>`,
    send,
    done: finish,
  });

  const starting = createTask({
    id: `${id}-start`,
    redraw,
    wait,
    refusals,
    send: () => send({}),
    intercept: ({ status, details }) => {
      isNeeded = status === 403 && details.required === "email_code";
      return isNeeded;
    },
    done: finish,
  });

  const view = () => html`${starting.result()}${isNeeded ? code.view() : nothing}`;
  return { start: () => starting.run(), view, isNeeded: () => isNeeded, isBusy: () => starting.isBusy };
}
