// The part of the security view that changes the password, or sets the first one.
import { html, nothing } from "lit-html";

import { request } from "../kit/api.js";
import { passwordField, usernameField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { accountTexts, commonTexts } from "../texts.js";

const texts = accountTexts.security.password;

export function createPasswordForm({ context, redraw }) {
  const { settings } = context;
  const form = createForm({
    id: "change-password",
    redraw,
    wait: texts.wait,
    send: (values) => request("PUT", "users/me/password", { body: passwordsOf(values) }),
    done: async () => {
      const text = hasPassword(context) ? texts.done : texts.isSet;
      form.reset();
      await context.reloadUser({ quiet: true });
      return text;
    },
    refusals: { AUTH_INVALID_CREDENTIALS: texts.wrong },
  });

  const view = () => html`
    <p class="quiet">${hasPassword(context) ? nothing : texts.none} ${texts.hint}</p>
    ${form.view({
      fields: html`
        ${usernameField(context.user.email)}
        ${hasPassword(context) ? passwordField(form, { name: "current_password", label: texts.current }) : nothing}
        ${passwordField(form, {
          name: "new_password",
          label: commonTexts.newPassword,
          autocomplete: "new-password",
          hint: commonTexts.passwordRule(settings.password_min_length),
        })}
      `,
      submit: hasPassword(context) ? texts.submit : texts.set,
    })}
  `;
  return { view };
}

/** An account of another provider has none at first, and a report of a notice removes it. */
const hasPassword = ({ user }) => user.has_password !== false;

/** Without a present password the service asks for a recent sign-in. */
const passwordsOf = ({ current_password: present, new_password }) => ({ new_password, ...(present && { current_password: present }) });
