// A proof of the person by one of several methods: "password", "totp", "passkey" or "recovery_code". The second factor of a
// sign-in and the step-up are made of it.
//
//   const evidence = createEvidence({ id, settings, redraw, methods, passkeyOptions, send, refusals, submit, wait });
//   html`${evidence.view()}`
//
// `send` gets `{password}`, `{code}`, `{recovery_code}` or `{passkey}`. `passkeyOptions()` returns the options for the browser,
// or undefined if there are none.
import { html, nothing } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { codeField, passwordField, textField, usernameField } from "./fields.js";
import { createForm } from "./form.js";
import { ownFailure } from "./failures.js";
import { hasPasskeys, usePasskey } from "./passkeys.js";

/** @param {{id: string, settings: object, redraw: Function, methods: string[], email?: string}} options and those of a task */
export function createEvidence({ id, settings, redraw, methods, passkeyOptions, send, email, submit, ...rest }) {
  const usable = methods.filter((name) => FIELDS[name] && (name !== "passkey" || hasPasskeys(settings)));
  let method = usable[0];

  async function sendPasskey() {
    const options = await passkeyOptions();
    if (options === undefined) {
      return ownFailure(texts.notConfirmed);
    }
    const { credential, error } = await usePasskey(options);
    return error ? ownFailure(error) : send({ passkey: credential });
  }

  const form = createForm({
    id,
    redraw,
    send: (values) => (method === "passkey" ? sendPasskey() : send(values)),
    ...rest,
  });

  function choose(name) {
    method = name;
    form.reset();
    form.clear();
    focus();
  }

  /** Moves the focus to the field of the method, or to its button. */
  function focus() {
    form.element()?.querySelector("input:not([tabindex]), .actions button")?.focus();
  }

  const others = () => usable.filter((name) => name !== method);

  const view = () =>
    usable.length === 0
      ? html`<p>${texts.noMethod}</p>`
      : html`
          ${form.view({
            fields: FIELDS[method](form, email),
            submit: method === "passkey" ? texts.usePasskey : submit,
            kind: "wide",
          })}
          ${others().length === 0
            ? nothing
            : html`<div class="others">
                ${others().map((name) => html`<button type="button" class="second wide" @click=${() => choose(name)}>
                  ${texts.methods[name]}
                </button>`)}
              </div>`}
        `;

  return { view, focus, form, isUsable: usable.length > 0 };
}

/** The fields of the methods. */
const FIELDS = {
  password: (form, email) => html`
    ${email ? usernameField(email) : nothing}
    ${passwordField(form, { name: "password", label: texts.password })}
  `,
  totp: (form) => codeField(form, { name: "code", label: texts.appCode, hint: texts.appCodeHint, digits: 6 }),
  passkey: () => html`<p>${texts.passkeyHint}</p>`,
  recovery_code: (form) => textField(form, { name: "recovery_code", label: texts.recoveryCode, hint: texts.recoveryCodeHint }),
};
