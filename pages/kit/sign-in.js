// The sign-in: address and password, passkey, mailed code, then the second factor if one is due. It is a part of a view or of a
// dialog, and hands over to `session` by itself.
//
//   const signIn = createSignIn({ id: "sign-in", settings, redraw, email, done });
//   html`${signIn.view({ links })}`;  signIn.open();  signIn.close();
//
// `done()` is called after the session has begun. `email` is the address to begin with.
import { html, nothing } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { createFactorStep } from "./factor-step.js";
import { passwordField, textField } from "./fields.js";
import { ownFailure } from "./failures.js";
import { createForm, createTask } from "./form.js";
import { createMailedCode } from "./mailed-code.js";
import { hasPasskeys, offerPasskeys, usePasskey } from "./passkeys.js";
import { inCookies, session } from "./session.js";
import { exchange } from "./transport.js";

/** @param {{id: string, settings: object, redraw: Function, email?: string, done?: Function}} options */
export function createSignIn({ id, settings, redraw, email = "", done = () => {} }) {
  /** "password", "factor" or "code". */
  let step = "password";
  let factor;
  let stopOffer;

  /** Takes the answer of any kind of sign-in. */
  function proceed(answer) {
    if (answer.code === "AUTH_MFA_REQUIRED") {
      factor = createFactorStep({ id: `${id}-factor`, settings, redraw, details: answer.details, send: complete, back });
      turn("factor");
      factor.focus();
      return true;
    }
    return false;
  }

  function succeed({ body }) {
    close();
    session.accept(body);
    done();
  }

  const complete = async (evidence) => {
    const answer = await exchange("POST", "auth/mfa", { body: inCookies(evidence) });
    if (answer.status === 200) {
      succeed(answer);
    }
    return answer;
  };

  /** The options of each kind of sign-in: a second factor that is due is no failure of it. */
  const common = { redraw, intercept: proceed, done: succeed, refusals: texts.signInRefusals };

  const password = createForm({
    ...common,
    id,
    wait: texts.checkingPassword,
    send: (values) => exchange("POST", "auth/login", { body: inCookies(values) }),
  });

  const passkey = createTask({
    ...common,
    id: `${id}-passkey`,
    wait: texts.checkingPasskey,
    refusals: texts.passkeyRefusals,
    send: (chosen) => (chosen ? presentPasskey(chosen) : askForPasskey()),
  });

  const code = createMailedCode({
    ...common,
    id: `${id}-code`,
    wait: texts.signingIn,
    submit: texts.signIn,
    refusals: {},
    ask: (values) => exchange("POST", "auth/email/code", { body: values }),
    send: (values) => exchange("POST", "auth/email/sign-in", { body: inCookies(values) }),
  });

  const optionsOfPasskey = () => exchange("POST", "auth/passkey/options");
  const presentPasskey = (body) => exchange("POST", "auth/passkey", { body: inCookies(body) });

  async function askForPasskey() {
    const offered = await optionsOfPasskey();
    if (offered.status !== 200) {
      return offered;
    }
    const { credential, error } = await usePasskey(offered.body.options);
    return error ? ownFailure(error) : presentPasskey({ flow: offered.body.flow, credential });
  }

  function turn(to) {
    step = to;
    redraw();
  }

  function back() {
    turn("password");
    document.getElementById(`${id}-email`)?.focus();
  }

  function open() {
    if (hasPasskeys(settings)) {
      const start = async () => {
        const offered = await optionsOfPasskey();
        return offered.status === 200 ? offered.body : undefined;
      };
      stopOffer = offerPasskeys({ start, finish: passkey.run });
    }
  }

  function close() {
    stopOffer?.();
  }

  const passwordStep = (links) => html`
    ${password.view({
      fields: html`
        ${textField(password, { name: "email", label: texts.email, type: "email", autocomplete: "username webauthn", value: email })}
        ${passwordField(password, { name: "password", label: texts.password })}
      `,
      submit: texts.signIn,
      kind: "wide",
    })}
    <div class="others">
      ${passkey.result()}
      ${hasPasskeys(settings)
        ? html`<button type="button" class="second wide" aria-disabled=${passkey.isBusy ? "true" : nothing}
            @click=${() => passkey.run()}>${texts.signInWithPasskey}</button>`
        : nothing}
      ${settings.email_sign_in
        ? html`<button type="button" class="second wide" @click=${() => turn("code")}>${texts.signInWithCode}</button>`
        : nothing}
    </div>
    ${links}
  `;

  const codeStep = () => html`
    ${code.view()}
    <button type="button" class="plain" @click=${back}>${texts.back}</button>
  `;

  const view = ({ links = nothing } = {}) =>
    step === "factor" ? factor.view() : step === "code" ? codeStep() : passwordStep(links);

  return { view, open, close };
}
