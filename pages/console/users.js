// The list of users, with a search by address.
import { html, render } from "lit-html";

import { selectField, textField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { badge, day, heading } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { createPaged } from "./paged.js";
import { noteOf } from "./parts.js";
import { table } from "./table.js";

const texts = consoleTexts.users;

/** The state of an account in a word. */
export const stateBadge = ({ is_active: isActive }) =>
  isActive ? badge("good", consoleTexts.active) : badge("warn", consoleTexts.disabled);

const COLUMNS = [
  { name: texts.email, kind: "free", cell: ({ id, email }) => html`<a href="#/users/${id}">${email}</a>` },
  { name: texts.name, kind: "free", cell: ({ full_name: name }) => name ?? "–" },
  { name: texts.state, cell: stateBadge },
  { name: texts.verified, cell: ({ email_verified: isVerified }) => (isVerified ? consoleTexts.yes : consoleTexts.no) },
  { name: texts.registered, cell: ({ created_at: time }) => day(time) },
];

const ADDRESS = { name: "email", label: texts.email, type: "email", hint: texts.exact, optional: true };
const STATES = [
  { value: "", label: texts.anyState },
  { value: "true", label: texts.onlyActive },
  { value: "false", label: texts.onlyDisabled },
];

export function openUsers(host, context) {
  const note = context.takeNote();
  // The filter stays in memory while the administrator looks at a user; the URL must not have an address.
  const filter = (context.data.users ??= { email: "", is_active: "" });
  const users = createPaged({ name: texts.title, path: "admin/users", redraw: draw, empty: texts.none });
  const search = createForm({ id: "search", redraw: draw, wait: consoleTexts.list.searching, send });

  function send(values) {
    Object.assign(filter, values, { email: values.email.trim() });
    return users.open(filter);
  }

  function draw() {
    render(view(), host);
  }

  const view = () => html`
    ${heading(texts.title)} ${noteOf(note)}
    <section class="card" aria-label=${texts.searchTitle}>
      ${search.view({
        fields: html`<div class="filters">
          ${textField(search, { ...ADDRESS, value: filter.email })}
          ${selectField(search, { name: "is_active", label: texts.state, options: STATES, value: filter.is_active })}
        </div>`,
        submit: consoleTexts.list.search,
      })}
    </section>
    <section class="card" aria-label=${texts.title}>
      ${users.view((rows) => table({ caption: texts.title, columns: COLUMNS, rows }))}
    </section>
  `;

  draw();
  users.open(filter);

}
