// The view that creates an account. Under EMAIL_VERIFICATION = required there is none before the address is confirmed by the
// code of the mail, or by its link on the page /verify.
import { html, nothing, render } from "lit-html";

import { refusesCookies } from "../kit/failures.js";
import { passwordField, textField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { createMailedCode } from "../kit/mailed-code.js";
import { createProviders, divider } from "../kit/providers.js";
import { session } from "../kit/session.js";
import { exchange } from "../kit/transport.js";
import { heading, notice } from "../kit/ui.js";
import { accountTexts, commonTexts } from "../texts.js";

const texts = accountTexts.register;

export const registerView = { title: texts.title, open };

function open(host, context) {
  const { settings } = context;
  if (settings.registration === "closed") {
    render(html`${heading(texts.title)} ${notice({ kind: "note", texts: [texts.closed] })} ${toSignIn()}`, host);
    return;
  }
  const redraw = () => draw();
  const form = createForm({
    id: "register",
    redraw,
    wait: texts.wait,
    send: register,
    intercept: ({ status, body }, values) => status === 202 && code.start(body, values),
    done: ({ body }) => enter(body),
    refusals: {
      CONFLICT: texts.taken,
      FORBIDDEN: (answer) => (refusesCookies(answer) ? undefined : noNewAccountText(settings.registration)),
      AUTH_INVALID_CREDENTIALS: texts.wrongInvitation,
    },
  });
  const code = createConfirmation({ redraw, context });
  const { providers: others } = settings;
  const providers = createProviders({ id: "register-provider", redraw, providers: others, label: commonTexts.continueWith });

  function enter(body) {
    context.data.verificationFlow = body.flow;
    session.accept(body);
  }

  const draw = () => render(html`
    ${heading(code.isDue() ? texts.verifyTitle : texts.title)}
    ${code.isDue()
      ? code.view()
      : html`${form.view({ fields: fieldsOf(form, settings), submit: texts.submit, kind: "wide" })}
          ${providers.isAny ? html`<div class="others">${divider()} ${providers.view()}</div>` : nothing}`}
    ${toSignIn()}
  `, host);
  draw();
}

const register = (values) => session.signIn("auth/register", { ...values, full_name: values.full_name || null });

/** The setting may have changed since the page was loaded. */
export const noNewAccountText = (registration) => (registration === "invitation" ? texts.needsInvitation : texts.closed);

const toSignIn = () => html`<p><a href="#/sign-in">${texts.signIn}</a></p>`;

const fieldsOf = (form, settings) => html`
  ${textField(form, { name: "email", label: commonTexts.email, type: "email", autocomplete: "username" })}
  ${passwordField(form, {
    name: "password",
    label: commonTexts.password,
    autocomplete: "new-password",
    hint: commonTexts.passwordRule(settings.password_min_length),
  })}
  ${textField(form, { name: "full_name", label: texts.name, autocomplete: "name", optional: true })}
  ${settings.registration === "invitation" ? invitationField(form) : nothing}
`;

export const invitationField = (form) =>
  textField(form, { name: "invitation", label: texts.invitation, hint: texts.invitationHint });

/** The second step, if the address must be confirmed: the code of the mail, then a sign-in with the password of the form. */
function createConfirmation({ redraw, context }) {
  /** The values of the form; undefined before this step. */
  let waiting;
  const code = createMailedCode({
    id: "register-code",
    redraw,
    wait: texts.verifying,
    submit: texts.verify,
    asked: texts.asked,
    ask: () => register(waiting),
    askFields: () => html`<p>${texts.another(waiting.email)}</p>`,
    send: (proof) => exchange("POST", "auth/email/verify", { body: proof }),
    done: signIn,
  });

  function start({ flow }, values) {
    waiting = values;
    code.begin(flow);
    code.form.show("note", texts.asked);
    return true;
  }

  async function signIn() {
    const { email, password } = waiting;
    const answer = await session.signIn("auth/login", { email, password });
    if (answer.status === 200) {
      session.accept(answer.body);
    } else {
      context.note = texts.verified;
      context.go("sign-in");
    }
  }

  return { start, isDue: () => waiting !== undefined, view: () => code.view() };
}
