// Templates of fields. Each has a label, a hint, and the faults of its form, tied together for screen readers.
//
//   textField(form, { name: "email", label, type: "email", autocomplete: "username", hint, value })
//   passwordField(form, { name: "password", label, autocomplete: "new-password" })
//   codeField(form, { name: "code", label, digits: 6 })
//   selectField(form, { name: "role", label, options: [{ value, label }], value })
//   checkField(form, { name, label, value, checked, isList: true })
import { html, nothing } from "lit-html";

import { commonTexts as texts } from "../texts.js";

const idOf = (form, name) => `${form.id}-${name}`;

/** The ids of the texts about a field. */
const describedBy = (form, { name, hint }) =>
  [form.faults[name] && `${idOf(form, name)}-error`, hint && `${idOf(form, name)}-hint`].filter(Boolean).join(" ") || nothing;

const isInvalid = (form, { name }) => (form.faults[name] ? "true" : nothing);

/** Label, input, faults and hint, in this order on the page. */
function framed(form, field, input) {
  const { name, label, hint, optional } = field;
  return html`
    <div class="field">
      <label for=${idOf(form, name)}>${label}${optional ? html` <span class="quiet">${texts.optional}</span>` : nothing}</label>
      ${input}
      ${form.faults[name] ? html`<p class="fault" id="${idOf(form, name)}-error">${faultsOf(form, field)}</p>` : nothing}
      ${hint ? html`<p class="hint" id="${idOf(form, name)}-hint">${hint}</p>` : nothing}
    </div>
  `;
}

/** "value must have at least 8 characters" of the service, with the label of the field in place of "value". */
function faultsOf(form, { name, label, noun = label }) {
  return form.faults[name].map((fault) => `${noun} ${fault.replace(/^(value|field) /, "")}.`).join(" ");
}

export function textField(form, field) {
  const { name, type = "text", value, autocomplete = "off", inputmode, optional, pattern, title, maxlength } = field;
  const isText = type === "text" && autocomplete === "name";
  return framed(
    form,
    field,
    html`<input id=${idOf(form, name)} name=${name} type=${type === "email" ? "text" : type}
      inputmode=${inputmode ?? (type === "email" ? "email" : nothing)} autocomplete=${autocomplete}
      autocapitalize=${isText ? "words" : "none"} spellcheck="false" value=${value ?? nothing} maxlength=${maxlength ?? nothing}
      pattern=${pattern ?? nothing} title=${title ?? nothing} ?required=${!optional}
      aria-invalid=${isInvalid(form, field)} aria-describedby=${describedBy(form, field)} />`,
  );
}

/** A password with a button that shows it. */
export function passwordField(form, field) {
  const { name, autocomplete = "current-password" } = field;
  const toggle = ({ currentTarget }) => {
    const input = document.getElementById(idOf(form, name));
    const isShown = input.type === "text";
    input.type = isShown ? "password" : "text";
    currentTarget.setAttribute("aria-pressed", String(!isShown));
  };
  return framed(
    form,
    field,
    html`<div class="with-button">
      <input id=${idOf(form, name)} name=${name} type="password" data-password autocomplete=${autocomplete} autocapitalize="none"
        spellcheck="false" required aria-invalid=${isInvalid(form, field)}
        aria-describedby=${describedBy(form, field)} />
      <button type="button" class="plain" aria-pressed="false" aria-label=${texts.showPassword} @click=${toggle}>${texts.show}</button>
    </div>`,
  );
}

/** A code of digits, of a mail or of an app. Blanks and hyphens do not count. */
export function codeField(form, { digits, ...field }) {
  const pattern = digits === undefined ? undefined : `([ \\-]*[0-9]){${digits}}[ \\-]*`;
  return textField(form, {
    ...field,
    autocomplete: "one-time-code",
    inputmode: "numeric",
    pattern,
    title: digits === undefined ? undefined : texts.digits(digits),
  });
}

export function selectField(form, field) {
  const { name, options, value } = field;
  return framed(
    form,
    field,
    html`<select id=${idOf(form, name)} name=${name} aria-invalid=${isInvalid(form, field)} aria-describedby=${describedBy(form, field)}>
      ${options.map((option) => html`<option value=${option.value} ?selected=${option.value === value}>${option.label}</option>`)}
    </select>`,
  );
}

/** One box to tick. With `isList` the ticked values of all boxes of this name make a list. */
export function checkField(form, { name, label, value = "on", checked = false, isList = false, required = false }) {
  return html`<label class="check">
    <input type="checkbox" name=${name} value=${value} ?checked=${checked} ?data-list=${isList} ?required=${required} />
    <span>${label}</span>
  </label>`;
}

/** The address of the account for password managers, in forms that ask for a password only. */
export const usernameField = (email) => html`<input class="visually-hidden" name="username" type="text" autocomplete="username"
  value=${email} tabindex="-1" aria-hidden="true" readonly />`;
