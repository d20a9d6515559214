// The view that changes the address: a mail to the new one, and its code.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { textField } from "../kit/fields.js";
import { createMailedCode } from "../kit/mailed-code.js";
import { badge, card, heading, notice } from "../kit/ui.js";
import { accountTexts } from "../texts.js";

const texts = accountTexts.address;

export const addressView = { title: texts.title, open };

function open(host, context) {
  let changed;

  const code = createMailedCode({
    id: "address",
    redraw: () => draw(),
    wait: texts.wait,
    submit: texts.submit,
    asked: texts.asked,
    ask: (values) => request("PUT", "users/me/email", { body: values }),
    askFields: (form) => textField(form, { name: "new_email", label: texts.newEmail, type: "email", autocomplete: "email" }),
    send: (proof) => request("POST", "auth/email/verify", { body: proof }),
    done: finish,
  });

  async function finish({ body }) {
    await context.reloadUser();
    changed = body.email;
    draw();
    host.querySelector("#changed")?.focus();
  }

  const draw = () => render(html`
    ${heading(texts.title)}
    ${changed ? html`<div id="changed" tabindex="-1">${notice({ kind: "done", texts: [texts.changed(changed)] })}</div>` : nothing}
    ${card({
      id: "change-address",
      title: texts.change,
      body: html`
        <dl class="facts"><div><dt>${texts.present}</dt>
          <dd>${context.user.email}
            ${context.user.email_verified ? badge("good", texts.verified) : badge("warn", texts.unverified)}</dd></div></dl>
        <p class="quiet">${texts.hint}</p>
        ${changed ? nothing : code.view()}
        <p class="hint">${texts.undo}</p>
      `,
    })}
  `, host);
  draw();
}
