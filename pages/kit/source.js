// Data that a view loads: the wait, the failure with a second attempt, and pages of lists.
//
//   const sessions = createSource({ redraw, read: () => request("GET", "auth/sessions") });
//   sessions.load();
//   html`${sessions.view(({ sessions }) => html`…`)}`
//
//   const users = createList({ redraw, read: (cursor) => request("GET", "admin/users", { query: { cursor } }) });
//   html`${users.view((items) => html`<ul>…</ul>`)}`       // with a button for the next page
import { html, nothing } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { failureTexts, isExplained } from "./failures.js";
import { actButton, notice } from "./ui.js";

/** @param {{redraw: Function, read: Function}} options `read` sends the request */
export function createSource({ redraw, read }) {
  const source = { value: undefined, failure: undefined, load, set, view };

  /** Loads, or loads again; the former value stays on the page until then. Returns the answer. */
  async function load() {
    const answer = await read();
    source.failure = answer.status === 200 ? undefined : answer;
    source.value = answer.status === 200 ? answer.body : source.value;
    redraw();
    return answer;
  }

  /** Replaces the value, for example by the answer of a change. */
  function set(value) {
    source.value = value;
    redraw();
  }

  async function again() {
    source.failure = undefined;
    redraw();
    await source.load();
  }

  function view(template) {
    const { value, failure } = source;
    return html`
      ${failure ? failed(failure, again) : nothing}
      ${value === undefined ? (failure ? nothing : loading()) : template(value)}
    `;
  }

  return source;
}

/** A list of `{items, next_cursor}`. `read(cursor)` sends the request for a page. */
export function createList({ redraw, read }) {
  let cursor;
  const source = createSource({ redraw, read: () => read(cursor) });
  const { load: loadPage, view: framed } = source;
  let items = [];
  let next = null;
  let isBusy = false;

  /** Loads the first page, or one more. */
  async function load(from) {
    cursor = from;
    isBusy = true;
    redraw();
    const answer = await loadPage();
    isBusy = false;
    if (answer.status === 200) {
      items = from === undefined ? answer.body.items : [...items, ...answer.body.items];
      next = answer.body.next_cursor;
    }
    redraw();
    return answer;
  }

  const view = (template) => html`
    ${framed(() => template(items))}
    ${next === null
      ? nothing
      : html`<div class="actions">
          ${actButton({ label: isBusy ? texts.loading : texts.more, kind: "second more", isBusy, act: () => load(next) })}
        </div>`}
  `;

  return Object.assign(source, { load: () => load(), view, items: () => items });
}

export const loading = () => html`<p class="quiet" role="status">${texts.loading}</p>`;

/** A failure with a button for another attempt, and with the way to a second factor if one is missing. */
export const failed = (answer, again) => html`
  <div role="alert">
    ${notice({ kind: "error", texts: failureTexts(answer), requestId: isExplained(answer) ? undefined : answer.requestId })}
  </div>
  ${answer.details?.required === "mfa" ? html`<p><a href="account#/security">${texts.toSecondFactors}</a></p>` : nothing}
  <div class="actions"><button type="button" class="second" @click=${again}>${texts.again}</button></div>
`;
