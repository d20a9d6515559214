// The view that creates an account. Under EMAIL_VERIFICATION = required there is none before the address is confirmed by the
// code of the mail, or by its link on the page /verify.
import { html, nothing, render } from "lit-html";

import { passwordField, textField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { createMailedCode } from "../kit/mailed-code.js";
import { inCookies, session } from "../kit/session.js";
import { exchange } from "../kit/transport.js";
import { heading } from "../kit/ui.js";
import { accountTexts, commonTexts } from "../texts.js";

const texts = accountTexts.register;

export const registerView = { title: texts.title, open };

function open(host, context) {
  const { settings } = context;
  /** The values of the form, kept until the address is confirmed; undefined before. */
  let waiting;

  const register = (values) => {
    const body = inCookies({ ...values, full_name: values.full_name || null });
    return exchange("POST", "auth/register", { body });
  };

  const form = createForm({
    id: "register",
    redraw: () => draw(),
    wait: texts.wait,
    send: register,
    intercept: (answer, values) => answer.status === 202 && waitForCode(answer, values),
    done: ({ body }) => enter(body),
    refusals: {
      CONFLICT: texts.taken,
      FORBIDDEN: settings.registration === "open" ? undefined : texts.needsInvitation,
      AUTH_INVALID_CREDENTIALS: texts.wrongInvitation,
    },
  });

  function enter(body) {
    context.data.verificationFlow = body.flow;
    session.accept(body);
  }

  const code = createMailedCode({
    id: "register-code",
    redraw: () => draw(),
    wait: texts.verifying,
    submit: texts.verify,
    asked: texts.asked,
    ask: () => register(waiting),
    askFields: () => html`<p>${texts.another(waiting.email)}</p>`,
    send: (proof) => exchange("POST", "auth/email/verify", { body: proof }),
    done: signIn,
  });

  function waitForCode({ body }, values) {
    waiting = values;
    code.begin(body.flow);
    code.form.show("note", texts.asked);
    return true;
  }

  /** The address is confirmed: the password of the form signs in. */
  async function signIn() {
    const { email, password } = waiting;
    const answer = await exchange("POST", "auth/login", { body: inCookies({ email, password }) });
    if (answer.status === 200) {
      session.accept(answer.body);
    } else {
      context.note = texts.verified;
      context.go("sign-in");
    }
  }

  const fields = () => html`
    ${textField(form, { name: "email", label: commonTexts.email, type: "email", autocomplete: "username" })}
    ${passwordField(form, {
      name: "password",
      label: commonTexts.password,
      autocomplete: "new-password",
      hint: commonTexts.passwordRule(settings.password_min_length),
    })}
    ${textField(form, { name: "full_name", label: texts.name, autocomplete: "name", optional: true })}
    ${settings.registration === "invitation"
      ? textField(form, { name: "invitation", label: texts.invitation, hint: texts.invitationHint })
      : nothing}
  `;

  const draw = () => render(html`
    ${heading(waiting ? texts.verifyTitle : texts.title)}
    ${waiting ? code.view() : form.view({ fields: fields(), submit: texts.submit, kind: "wide" })}
    <p><a href="#/sign-in">${texts.signIn}</a></p>
  `, host);
  draw();
}
