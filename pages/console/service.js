// One service account: its name, scopes, keys and state.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createForm, createTask } from "../kit/form.js";
import { createSource } from "../kit/source.js";
import { card, heading, moment } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { actButton, facts, idOf } from "./parts.js";
import { createServiceKeys } from "./service-keys.js";
import { serviceFields } from "./services.js";
import { stateBadge } from "./users.js";

const texts = consoleTexts.service;

export function openService(host, context, id) {
  const path = `admin/service-accounts/${idOf(id)}`;
  const source = createSource({ redraw: draw, read: () => request("GET", path) });
  const keys = createServiceKeys({ path: `${path}/keys`, redraw: draw });
  const changing = createForm({
    id: "change",
    redraw: draw,
    wait: consoleTexts.saving,
    send: (body) => request("PATCH", path, { body }),
    done: ({ body }) => changed(body, texts.changed),
  });
  const switching = createTask({
    id: "switch",
    redraw: draw,
    wait: consoleTexts.saving,
    send: (body) => request("PATCH", path, { body }),
    done: ({ body }) => changed(body, body.is_active ? texts.enabled : texts.disabled),
  });
  const deleting = createTask({
    id: "delete",
    redraw: draw,
    wait: consoleTexts.removing,
    send: () => request("DELETE", path),
    done: () => {
      context.note = texts.deleted(source.value.name);
      context.go("services");
      return [];
    },
  });

  function changed(body, text) {
    source.set(body);
    return text;
  }

  async function toggle() {
    const { name, is_active: isActive } = source.value;
    const words = { title: texts.disableTitle, texts: texts.disableTexts(name), action: texts.disable };
    if (!isActive || (await confirm(words))) {
      await switching.run({ is_active: !isActive });
    }
  }

  async function remove() {
    const { name } = source.value;
    const words = { title: texts.deleteTitle, texts: texts.deleteTexts(name), action: texts.delete };
    if (await confirm({ ...words, typed: name, label: texts.deleteTyped })) {
      await deleting.run();
    }
  }

  async function load() {
    const { status } = await source.load();
    if (status === 200) {
      keys.load();
    }
  }

  function draw() {
    render(view(), host);
  }

  const view = () => html`
    <p class="back"><a href="#/services">${texts.back}</a></p>
    ${heading(source.value?.name ?? texts.title)}
    ${source.view((account) => html`
      ${card({ id: "facts", title: texts.facts, body: factsOf(account) })}
      ${card({ id: "keys", title: texts.keys, body: keys.view() })}
      ${card({ id: "change-title", title: texts.changeTitle, body: changing.view({
        fields: serviceFields(changing, account),
        submit: consoleTexts.save,
      }) })}
      ${card({ id: "end", title: texts.endTitle, body: endOf(account) })}
    `)}
  `;

  const endOf = ({ is_active: isActive }) => html`
    ${switching.result()} ${deleting.result()}
    <div class="actions">
      ${actButton({ label: isActive ? texts.disable : texts.enable, isBusy: switching.isBusy, act: toggle })}
      ${actButton({ label: texts.delete, kind: "danger", isBusy: deleting.isBusy, act: remove })}
    </div>
  `;

  draw();
  load();
}

const factsOf = (account) => facts([
  [texts.clientId, html`<code>${account.client_id}</code>`],
  [texts.state, stateBadge(account)],
  [texts.scopes, account.scopes.join(", ") || texts.noScopes],
  [texts.created, moment(account.created_at)],
]);
