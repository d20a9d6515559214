// One service account: its name, scopes, keys and state.
import { html, render } from "lit-html";

import { request } from "../kit/api.js";
import { createSource } from "../kit/source.js";
import { card, heading, moment } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { facts, idOf } from "./parts.js";
import { createServiceChange } from "./service-change.js";
import { createServiceKeys } from "./service-keys.js";
import { stateBadge } from "./users.js";

const texts = consoleTexts.service;

export function openService(host, context, id) {
  const path = `admin/service-accounts/${idOf(id)}`;
  const source = createSource({ redraw: draw, read: () => request("GET", path) });
  const keys = createServiceKeys({ path: `${path}/keys`, redraw: draw });
  const change = createServiceChange({ path, source, redraw: draw, deleted });

  function deleted(note) {
    context.note = note;
    context.go("services");
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
      ${change.view(account)}
    `)}
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
