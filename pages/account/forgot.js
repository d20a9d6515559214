// The view for a forgotten password: a mail, its code and a new password, then the second factors and linked accounts for a review.
import { html, render } from "lit-html";

import { passwordField } from "../kit/fields.js";
import { createMailedCode } from "../kit/mailed-code.js";
import { nameOf } from "../kit/providers.js";
import { exchange } from "../kit/transport.js";
import { badge, day, heading, notice } from "../kit/ui.js";
import { accountTexts, commonTexts } from "../texts.js";

const texts = accountTexts.forgot;

export const forgotView = { title: texts.title, open };

function open(host, { settings }) {
  /** The second factors and linked accounts that the answer lists, after the reset. */
  let review;

  const code = createMailedCode({
    id: "forgot",
    redraw: () => draw(),
    wait: texts.wait,
    submit: texts.submit,
    ask: (values) => exchange("POST", "auth/password/forgot", { body: values }),
    fields: (form) => passwordField(form, {
      name: "new_password",
      label: commonTexts.newPassword,
      autocomplete: "new-password",
      hint: commonTexts.passwordRule(settings.password_min_length),
    }),
    send: (values) => exchange("POST", "auth/password/reset", { body: values }),
    done: ({ body }) => show(body.review),
  });

  function show(factors) {
    review = factors;
    draw();
    host.querySelector("h1").focus();
  }

  const draw = () => render(html`
    ${heading(review ? texts.doneTitle : texts.title)}
    ${review ? reviewOf(review, settings) : html`<p class="quiet">${texts.hint}</p>${code.view()}`}
    <p><a href="#/sign-in">${review ? texts.signIn : texts.back}</a></p>
  `, host);
  draw();
}

function reviewOf({ totp, passkeys, identities = [] }, settings) {
  const apps = totp ? [{ ...totp, name: texts.app }] : [];
  const keys = passkeys.map((key) => ({ ...key, name: texts.passkey(key.name) }));
  const accounts = identities.map((one) => ({ ...one, name: texts.identity(nameOf(settings, one.provider), one.email) }));
  const factors = [...apps, ...keys, ...accounts];
  return html`
    ${notice({ kind: "done", texts: [texts.done] })}
    ${factors.length === 0
      ? html`<p>${texts.noFactors}</p>`
      : html`<p>${texts.review}</p>
          <ul class="list">${factors.map(factorOf)}</ul>
          <p class="quiet">${texts.reviewHint}</p>`}
  `;
}

const factorOf = ({ name, created_at: created, suspended }) => html`
  <li class="list-item">
    <div class="item-main">
      <span class="item-title">${name} ${suspended ? badge("warn", texts.suspended) : badge("plain", texts.active)}</span>
      <span class="quiet">${texts.added} ${day(created)}</span>
    </div>
  </li>
`;
