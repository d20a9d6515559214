// The view of API keys: the list, a new one whose text is shown once, and their withdrawal.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { checkField, selectField, textField } from "../kit/fields.js";
import { createForm, createTask } from "../kit/form.js";
import { showOnce } from "../kit/shown-once.js";
import { createList } from "../kit/source.js";
import { card, day, heading, moment } from "../kit/ui.js";
import { accountTexts } from "../texts.js";
import { PERMISSIONS } from "./permissions.js";

const texts = accountTexts.keys;
const DAY_MS = 86_400_000;
const LIFETIMES = ["30", "90", "365", ""];

export const keysView = { title: texts.title, open };

function open(host, { settings }) {
  const redraw = () => draw();
  const keys = createList({ redraw, read: (cursor) => request("GET", "users/me/api-keys", { query: { limit: 100, cursor } }) });
  const form = keyForm(redraw, keys);

  const withdrawing = createTask({
    id: "withdraw",
    redraw,
    wait: texts.withdrawing,
    send: ({ id }) => request("DELETE", `users/me/api-keys/${id}`),
    done: async () => {
      await keys.load();
      return texts.withdrawn;
    },
  });

  async function withdraw(key) {
    if (await confirm({ title: texts.withdraw, texts: [texts.withdrawHint(key.name)], action: texts.withdraw })) {
      await withdrawing.run(key);
    }
  }

  const draw = () => render(html`
    ${heading(texts.title)}
    ${card({
      id: "present-keys",
      title: texts.present,
      body: html`
        <p class="quiet">${texts.hint}</p>
        ${withdrawing.result()}
        ${keys.view((items) => (items.length === 0 ? html`<p>${texts.none}</p>` : html`<ul class="list">${items.map((key) => itemOf(key, withdraw))}</ul>`))}
      `,
    })}
    ${card({ id: "new-key", title: texts.new, body: form.view({ fields: fieldsOf(form, settings), submit: texts.create }) })}
  `, host);

  draw();
  keys.load();
}

const itemOf = (key, withdraw) => html`
  <li class="list-item">
    <div class="item-main">
      <span class="item-title">${key.name}</span>
      <span class="small">${texts.created} ${day(key.created_at)} ·
        ${key.expires_at ? html`${texts.until} ${day(key.expires_at)}` : texts.noEnd} ·
        ${key.last_used_at ? html`${texts.lastUsed} ${moment(key.last_used_at)}` : texts.unused}</span>
      <details class="small"><summary>${texts.permissionCount(key.permissions.length)}</summary>
        <p class="mono">${key.permissions.join(", ")}</p></details>
    </div>
    <div class="item-side">
      <button type="button" class="second danger" aria-label=${texts.withdrawOf(key.name)} @click=${() => withdraw(key)}>
        ${texts.withdraw}
      </button>
    </div>
  </li>
`;

function keyForm(redraw, keys) {
  const form = createForm({
    id: "key",
    redraw,
    wait: texts.creating,
    send: ({ name, permissions, days }) => {
      const body = { name, permissions, expires_at: endOf(days) };
      return request("POST", "users/me/api-keys", { body });
    },
    done: async ({ body }) => {
      await showKey(body);
      form.reset();
      keys.load();
      return texts.made(body.name);
    },
    refusals: { CONFLICT: texts.tooMany },
  });
  return form;
}

const endOf = (days) => (days === "" ? null : new Date(Date.now() + Number(days) * DAY_MS).toISOString());

const fieldsOf = (form, settings) => html`
  ${textField(form, { name: "name", label: texts.name, hint: texts.nameHint })}
  ${selectField(form, {
    name: "days",
    label: texts.lifetime,
    options: LIFETIMES.map((value) => ({ value, label: texts.lifetimes[value] })),
    value: "90",
  })}
  <fieldset aria-describedby=${form.faults.permissions ? "key-permissions-error" : nothing}>
    <legend>${texts.permissions}</legend>
    ${form.faults.permissions ? html`<p class="fault" id="key-permissions-error">${texts.choose}</p>` : nothing}
    <p class="hint">${texts.permissionsHint}</p>
    ${Object.entries(PERMISSIONS)
      .filter(([group]) => group !== "courses" || HAS_CAMPUS)
      .map(([group, names]) => groupOf(form, group, names))}
  </fieldset>
`;

const groupOf = (form, group, names) => html`
  <details class="group">
    <summary>${texts.groups[group]}</summary>
    <div class="checks">
      ${names.map((name) => {
        const label = html`<span class="mono">${name}</span>`;
        return checkField(form, { name: "permissions", value: name, isList: true, label });
      })}
    </div>
  </details>
`;

/** The text of a key, once. */
const showKey = ({ name, key }) => showOnce({ title: texts.onceTitle, hint: texts.once(name), value: key, kept: texts.kept });
