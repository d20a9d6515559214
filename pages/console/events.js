// Security events, newest first, perhaps of one user (`#/events/42`) or of one type.
import { html, nothing, render } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";

import { selectField, textField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { heading, moment } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { EVENT_TYPES } from "./names.js";
import { createPaged } from "./paged.js";
import { facts, wordsOf } from "./parts.js";

const texts = consoleTexts.events;

const TYPES = [
  { value: "", label: texts.anyType },
  ...EVENT_TYPES.map((value) => ({ value, label: wordsOf(value) })).sort((one, other) => one.label.localeCompare(other.label)),
];

const linkTo = (view, id) => (id === null ? undefined : html`<a href="#/${view}/${id}">${id}</a>`);
const timesOf = ({ count }) => (count === 1 ? nothing : html` <span class="badge">${texts.times(count)}</span>`);
const known = (value) => value ?? undefined;
const EXACT = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
const exact = (time) => html`<time datetime=${time}>${EXACT.format(new Date(time))}</time>`;

const detailsOf = (event) => facts([
  [texts.type, html`<code>${event.type}</code>`],
  [texts.reason, known(event.reason)],
  [texts.count, event.count === 1 ? undefined : event.count],
  [texts.first, exact(event.first_at)],
  [texts.last, event.last_at === event.first_at ? undefined : exact(event.last_at)],
  [texts.user, linkTo("users", event.user_id)],
  [texts.actor, linkTo("users", event.actor_id)],
  [texts.university, linkTo("universities", event.university_id)],
  [texts.object, known(event.object_id)],
  [texts.session, known(event.session_id)],
  [texts.network, known(event.ip)],
  [texts.program, known(event.user_agent)],
  [texts.requestId, html`<code>${event.request_id}</code>`],
  [texts.ray, event.ray === null ? undefined : html`<code>${event.ray}</code>`],
]);

/** A link inside a summary could not be reached by every screen reader, so the summary has texts only. */
const item = (event) => html`<li>
  <details>
    <summary>
      <span class="what">${wordsOf(event.type)}${timesOf(event)}</span>
      <span class="quiet">${texts.people(event.user_id, event.actor_id)}</span>
      <span class="quiet">${moment(event.created_at)}</span>
    </summary>
    ${detailsOf(event)}
  </details>
</li>`;

export function openEvents(host, context, user = "") {
  const events = createPaged({ name: texts.title, path: "admin/audit-events", redraw: draw, empty: texts.none });
  const filter = createForm({ id: "filter", redraw: draw, wait: consoleTexts.list.searching, send });

  function send({ user_id: id, type }) {
    return events.open({ user_id: id.trim(), type });
  }

  function draw() {
    render(view(), host);
  }

  const view = () => html`
    ${heading(texts.title)}
    <section class="card" aria-label=${texts.filterTitle}>
      ${filter.view({
        fields: html`<div class="filters">
          ${textField(filter, { name: "user_id", label: texts.userId, inputmode: "numeric", optional: true, value: user })}
          ${selectField(filter, { name: "type", label: texts.type, options: TYPES, value: "" })}
        </div>`,
        submit: consoleTexts.list.search,
      })}
    </section>
    <section class="card" aria-label=${texts.title}>
      ${events.view((rows) => html`<ul class="events">${repeat(rows, ({ id }) => id, item)}</ul>`)}
    </section>
  `;

  draw();
  events.open({ user_id: user });
}
