// The part of the security view that changes the password.
import { html } from "lit-html";

import { request } from "../kit/api.js";
import { passwordField, usernameField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { accountTexts, commonTexts } from "../texts.js";

const texts = accountTexts.security.password;

export function createPasswordForm({ context, redraw }) {
  const { settings, user } = context;
  const form = createForm({
    id: "change-password",
    redraw,
    wait: texts.wait,
    // An account without a password, for example after a report of a notice, leaves the present one out.
    send: ({ current_password: current, new_password }) =>
      request("PUT", "users/me/password", { body: { new_password, ...(current ? { current_password: current } : {}) } }),
    done: () => {
      form.reset();
      return texts.done;
    },
    refusals: { AUTH_INVALID_CREDENTIALS: texts.wrong },
  });

  const view = () => html`
    <p class="quiet">${texts.hint}</p>
    ${form.view({
      fields: html`
        ${usernameField(user.email)}
        ${passwordField(form, {
          name: "current_password",
          label: texts.current,
          autocomplete: "current-password",
          optional: true,
          isUnmarked: true,
          hint: texts.currentHint,
        })}
        ${passwordField(form, {
          name: "new_password",
          label: commonTexts.newPassword,
          autocomplete: "new-password",
          hint: commonTexts.passwordRule(settings.password_min_length),
        })}
      `,
      submit: texts.submit,
    })}
  `;
  return { view };
}
