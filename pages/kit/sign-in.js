// The sign-in: address and password, passkey, mailed code, another provider, then the second factor if one is due. It is a part of
// a view or of a dialog, and hands over to `session` by itself.
//
//   const signIn = createSignIn({ id: "sign-in", settings, redraw, email });
//   html`${signIn.view({ links })}`;  signIn.open();  signIn.close();
//
// `email` is the address to begin with, `leaving` a text about the way to another provider. The session tells its beginning
// (`session.onChange`).
import { html, nothing } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { createFactorStep } from "./factor-step.js";
import { passwordField, textField } from "./fields.js";
import { createForm } from "./form.js";
import { createMailedCode } from "./mailed-code.js";
import { createPasskeySignIn } from "./passkey-sign-in.js";
import { createProviders, divider } from "./providers.js";
import { session } from "./session.js";
import { exchange } from "./transport.js";

const signInBy = (path) => (values) => session.signIn(path, values);

/** @param {{id: string, settings: object, redraw: Function, email?: string, leaving?: string}} options */
export function createSignIn({ id, settings, redraw, email = "", leaving }) {
  /** "password", "factor" or "code". */
  let step = "password";
  let factor;

  /** A second factor that is due is no failure of a sign-in. */
  function intercept({ code, details }) {
    const isDue = code === "AUTH_MFA_REQUIRED";
    if (isDue) {
      factor = createFactorStep({ id: `${id}-factor`, settings, redraw, details, send: signInBy("auth/mfa"), done, back });
      turn("factor");
      factor.focus();
    }
    return isDue;
  }

  function done({ body }) {
    passkey.close();
    session.accept(body);
  }

  const common = { settings, redraw, intercept, done };
  const password = createPasswordSignIn({ ...common, id });
  const passkey = createPasskeySignIn({ ...common, id: `${id}-passkey` });
  const code = createCodeSignIn({ ...common, id: `${id}-code` });
  const { providers: others } = settings;
  const providers = createProviders({ id: `${id}-provider`, redraw, providers: others, label: texts.continueWith });

  function turn(to) {
    step = to;
    redraw();
  }

  function back() {
    turn("password");
    document.getElementById(`${id}-email`)?.focus();
  }

  const steps = {
    password: (links) => html`
      ${passwordStep(password, email)}
      <div class="others">
        ${providers.isAny ? divider() : nothing}
        ${passkey.view()}
        ${settings.email_sign_in
          ? html`<button type="button" class="second wide" @click=${() => turn("code")}>${texts.signInWithCode}</button>`
          : nothing}
        ${providers.view()}
        ${providers.isAny && leaving ? html`<p class="hint">${leaving}</p>` : nothing}
      </div>
      ${links}
    `,
    code: () => html`${code.view()}<button type="button" class="plain" @click=${back}>${texts.back}</button>`,
    factor: () => factor.view(),
  };

  return { view: ({ links = nothing } = {}) => steps[step](links), open: passkey.open, close: passkey.close };
}

const createPasswordSignIn = (options) => createForm({
  ...options,
  wait: texts.checkingPassword,
  refusals: texts.signInRefusals,
  send: signInBy("auth/login"),
});

const createCodeSignIn = (options) => createMailedCode({
  ...options,
  wait: texts.signingIn,
  submit: texts.signIn,
  ask: (values) => exchange("POST", "auth/email/code", { body: values }),
  send: signInBy("auth/email/sign-in"),
});

const passwordStep = (form, email) => form.view({
  fields: html`
    ${textField(form, { name: "email", label: texts.email, type: "email", autocomplete: "username webauthn", value: email })}
    ${passwordField(form, { name: "password", label: texts.password })}
  `,
  submit: texts.signIn,
  kind: "wide",
});
