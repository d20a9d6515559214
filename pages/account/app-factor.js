// The part of the security view for the authenticator app: enrol, replace, remove.
import { html, nothing } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { codeField } from "../kit/fields.js";
import { createForm, createTask } from "../kit/form.js";
import { badge, copyButton, day } from "../kit/ui.js";
import { accountTexts, commonTexts } from "../texts.js";
import { createEnrolment } from "./enrolment.js";
import { showRecoveryCodes } from "./recovery-codes.js";

const texts = accountTexts.security.app;

export function createAppFactor({ redraw, reload }) {
  /** `{secret, qr_svg}` between the two steps of an enrolment. */
  let offer;

  const enrolment = createEnrolment({
    id: "app-factor",
    redraw,
    wait: texts.starting,
    send: (proof) => request("POST", "users/me/mfa/totp", { body: proof }),
    done: ({ body }) => {
      offer = body;
      // After the answer is on the page.
      queueMicrotask(() => form.element()?.querySelector("input").focus());
      return [];
    },
  });

  const form = createForm({
    id: "app-confirm",
    redraw,
    wait: commonTexts.checking,
    send: ({ code }) => request("POST", "users/me/mfa/totp/confirm", { body: { code: code.replace(/\D/g, "") } }),
    done: async ({ body }) => {
      await showRecoveryCodes(body.recovery_codes);
      offer = undefined;
      await reload();
      removing.show("done", texts.done);
      return [];
    },
    refusals: { CONFLICT: texts.tooLate },
  });

  const removing = createTask({
    id: "app-remove",
    redraw,
    wait: texts.removing,
    send: () => request("DELETE", "users/me/mfa/totp"),
    done: async () => {
      await reload();
      return texts.removed;
    },
  });

  async function remove() {
    if (await confirm({ title: texts.remove, texts: [texts.removeHint], action: texts.remove })) {
      await removing.run();
    }
  }

  function cancel() {
    offer = undefined;
    form.clear();
  }

  const view = ({ totp }) => html`
    ${removing.result()} ${offer ? confirmation(offer, form, cancel) : html`${stateOf(totp)} ${start(totp, enrolment, remove)}`}
  `;
  return { view };
}

/** The secret for the app, and the form for its first code. */
const confirmation = ({ secret, qr_svg: picture }, form, cancel) => html`
  <ol class="steps">
    <li><p>${texts.scan}</p>
      <img class="qr" src="data:image/svg+xml;base64,${btoa(picture)}" alt=${texts.qr} width="200" height="200" />
      <p>${texts.type}</p>
      <p class="secret mono">${secret.match(/.{1,4}/g).join(" ")}</p>
      <div class="actions">${copyButton(secret, texts.copySecret)}</div></li>
    <li>${form.view({
      fields: codeField(form, { name: "code", label: texts.code, noun: texts.noun, hint: texts.codeHint, digits: 6 }),
      submit: texts.confirm,
      extra: html`<button type="button" class="second" @click=${cancel}>${commonTexts.cancel}</button>`,
    })}</li>
  </ol>
`;

const stateOf = (totp) =>
  totp
    ? html`<p>${badge("good", texts.on)} ${texts.since} ${day(totp.created_at)}
        ${totp.suspended ? badge("warn", texts.suspended) : nothing}</p>`
    : html`<p class="quiet">${texts.hint}</p>`;

const start = (totp, enrolment, remove) => html`
  ${enrolment.view()}
  ${enrolment.isNeeded()
    ? nothing
    : html`<div class="actions">
        <button type="button" class=${totp ? "second" : ""} @click=${enrolment.start}>
          ${totp ? texts.replace : texts.start}
        </button>
        ${totp ? html`<button type="button" class="second danger" @click=${remove}>${texts.remove}</button>` : nothing}
      </div>
      <p class="hint">${texts.others}</p>`}
`;
