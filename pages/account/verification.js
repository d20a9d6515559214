// The part of a view that confirms the address of the signed-in user, by the code of a mail.
import { html } from "lit-html";

import { request } from "../kit/api.js";
import { createMailedCode } from "../kit/mailed-code.js";
import { accountTexts } from "../texts.js";

const texts = accountTexts.verification;

/** @param {{redraw: Function, context: object, done: Function}} options `done(user)` is called with the changed user */
export function createVerification({ redraw, context, done }) {
  const { verificationFlow: flow } = context.data;
  delete context.data.verificationFlow;
  return createMailedCode({
    id: "verification",
    redraw,
    flow,
    wait: texts.wait,
    submit: texts.submit,
    asked: texts.asked,
    ask: () => request("POST", "auth/email/verification"),
    askFields: () => html`<p>${texts.hint(context.user.email)}</p>`,
    send: (proof) => request("POST", "auth/email/verify", { body: proof }),
    done: async () => {
      await context.reloadUser();
      done();
    },
  });
}
