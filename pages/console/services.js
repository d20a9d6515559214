// Service accounts: the list, and the form for another one. Its first key is shown once.
import { html, render } from "lit-html";

import { request } from "../kit/api.js";
import { checkField, textField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { card, heading } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { SCOPES } from "./names.js";
import { createPaged } from "./paged.js";
import { noteOf, showSecret } from "./parts.js";
import { stateBadge } from "./users.js";
import { table } from "./table.js";

const texts = consoleTexts.services;

const COLUMNS = [
  { name: texts.name, kind: "free", cell: ({ id, name }) => html`<a href="#/services/${id}">${name}</a>` },
  { name: texts.clientId, kind: "free", cell: ({ client_id: id }) => html`<code>${id}</code>` },
  { name: texts.scopes, cell: ({ scopes }) => scopes.join(", ") || "–" },
  { name: texts.state, cell: stateBadge },
];

/** The fields of a service account, for a new one or for a change. */
export const serviceFields = (form, { name, scopes = [] } = {}) => html`
  ${textField(form, { name: "name", label: texts.name, value: name })}
  <fieldset>
    <legend>${texts.scopes}</legend>
    ${SCOPES.map((scope) => checkField(form, {
      name: "scopes",
      value: scope,
      label: html`<code>${scope}</code> <span class="quiet">${texts.scopeHints[scope]}</span>`,
      checked: scopes.includes(scope),
      isList: true,
    }))}
  </fieldset>
`;

export function openServices(host, context) {
  const note = context.takeNote();
  const list = createPaged({ name: texts.title, path: "admin/service-accounts", redraw: draw, empty: texts.none });
  const adding = createForm({
    id: "add",
    redraw: draw,
    wait: consoleTexts.saving,
    send: (body) => request("POST", "admin/service-accounts", { body }),
    done: async ({ body }) => {
      await showSecret({ title: texts.key, hint: texts.keyHint, value: body.key });
      adding.reset();
      await list.open();
      return texts.added(body.name, body.client_id);
    },
  });

  function draw() {
    render(view(), host);
  }

  const view = () => html`
    ${heading(texts.title)} ${noteOf(note)}
    <section class="card" aria-label=${texts.title}>
      <p class="quiet">${texts.hint}</p>
      ${list.view((rows) => table({ caption: texts.title, columns: COLUMNS, rows }))}
    </section>
    ${card({ id: "add-title", title: texts.add, body: adding.view({ fields: serviceFields(adding), submit: texts.add }) })}
  `;

  draw();
  list.open();
}
