// The part of the security view for passkeys: list, add, rename, remove.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { confirm, openDialog } from "../kit/dialog.js";
import { ownFailure } from "../kit/failures.js";
import { textField } from "../kit/fields.js";
import { createForm, createTask } from "../kit/form.js";
import { createPasskey, hasPasskeys } from "../kit/passkeys.js";
import { badge, day, moment } from "../kit/ui.js";
import { deviceOf } from "../kit/user-agent.js";
import { accountTexts, commonTexts } from "../texts.js";
import { createEnrolment } from "./enrolment.js";
import { showRecoveryCodes } from "./recovery-codes.js";

const texts = accountTexts.security.passkeys;

export function createPasskeys({ context, redraw, reload }) {
  const removing = createTask({
    id: "passkey-remove",
    redraw,
    wait: texts.removing,
    send: ({ id }) => request("DELETE", `users/me/passkeys/${id}`),
    done: async () => {
      await reload();
      return texts.removed;
    },
    refusals: { CONFLICT: texts.lastWay },
  });

  /** The recovery codes are shown also if the person has left the dialog or the view. */
  async function added(made) {
    if (made.recovery_codes) {
      await showRecoveryCodes(made.recovery_codes);
    }
    await reload();
    removing.show("done", texts.added(made.name));
  }

  async function rename(key) {
    const renamed = await renameDialog(key);
    if (renamed !== undefined) {
      await reload();
      removing.show("done", texts.renamed(renamed.name));
    }
  }

  async function remove(key) {
    if (await confirm({ title: texts.remove, texts: [texts.removeHint(key.name)], action: texts.remove })) {
      await removing.run(key);
    }
  }

  const view = (items) => html`
    <p class="quiet">${texts.hint}</p>
    ${removing.result()}
    ${items.length === 0 ? nothing : html`<ul class="list">${items.map((key) => itemOf(key, { rename, remove }))}</ul>`}
    ${hasPasskeys(context.settings)
      ? html`<div class="actions">
            <button type="button" class=${items.length === 0 ? "" : "second"} @click=${() => addDialog(added)}>${texts.add}</button>
          </div>
          <p class="hint">${texts.others}</p>`
      : html`<p>${texts.unsupported}</p>`}
  `;
  return { view };
}

const itemOf = (key, { rename, remove }) => html`
  <li class="list-item">
    <div class="item-main">
      <span class="item-title">${key.name} ${key.suspended ? badge("warn", texts.suspended) : nothing}</span>
      <span class="small">${texts.since} ${day(key.created_at)} ·
        ${key.last_used_at ? html`${texts.lastUsed} ${moment(key.last_used_at)}` : texts.unused}</span>
    </div>
    <div class="item-side">
      <button type="button" class="second" aria-label=${texts.renameOf(key.name)} @click=${() => rename(key)}>${texts.rename}</button>
      <button type="button" class="second danger" aria-label=${texts.removeOf(key.name)} @click=${() => remove(key)}>
        ${texts.remove}
      </button>
    </div>
  </li>
`;

/** Asks for a name and makes a passkey. `added` gets the answer of the service. */
const addDialog = (added) => openDialog({
  title: texts.addTitle,
  open: (host, close) => {
    let name = deviceOf(navigator.userAgent) ?? "";

    /** The options, the ceremony in the browser, and the registration, as one request. */
    async function register(proof) {
      const offered = await request("POST", "users/me/passkeys/options", { body: proof });
      if (offered.status !== 200) {
        return offered;
      }
      const { credential, error } = await createPasskey(offered.body);
      return error ? ownFailure(error) : request("POST", "users/me/passkeys", { body: { name, credential } });
    }

    const refusals = { CONFLICT: texts.conflict, AUTH_INVALID_CREDENTIALS: texts.tooLate };
    const done = async ({ body }) => {
      close();
      await added(body);
      return [];
    };
    const enrolment = createEnrolment({ id: "passkey", redraw: () => draw(), wait: texts.adding, send: register, done, refusals });
    const submit = (event) => {
      event.preventDefault();
      name = new FormData(event.target).get("name");
      enrolment.start();
    };
    const plain = { id: "passkey", faults: {} };

    const draw = () => render(html`
      ${enrolment.isNeeded()
        ? nothing
        : html`<form id="passkey" class="form" @submit=${submit}>
            <p class="quiet">${texts.addHint}</p>
            ${textField(plain, { name: "name", label: texts.name, value: name, maxlength: 100 })}
            <div class="actions">
              <button aria-disabled=${enrolment.isBusy() ? "true" : nothing}>${texts.next}</button>
              <button type="button" class="second" @click=${() => close()}>${commonTexts.cancel}</button>
            </div>
          </form>`}
      ${enrolment.view()}
    `, host);
    draw();
  },
});

/** The renamed passkey, or undefined. */
const renameDialog = (key) => openDialog({
  title: texts.renameTitle,
  open: (host, close) => {
    const form = createForm({
      id: "rename",
      redraw: () => draw(),
      wait: texts.saving,
      send: (values) => request("PATCH", `users/me/passkeys/${key.id}`, { body: values }),
      done: ({ body }) => {
        close(body);
        return [];
      },
    });
    const draw = () => render(
      form.view({
        fields: textField(form, { name: "name", label: texts.name, value: key.name, maxlength: 100 }),
        submit: commonTexts.save,
        extra: html`<button type="button" class="second" @click=${() => close()}>${commonTexts.cancel}</button>`,
      }),
      host,
    );
    draw();
  },
});
