// One page at a time of a list of the API, with its template. Owns the position in the list, and which of several answers
// counts.
//
//   const users = createPaged({ name: texts.title, path: "admin/users", redraw, empty: texts.none });
//   users.open({ is_active: true });
//   html`${users.view((items) => html`…`)}`
import { html, nothing } from "lit-html";

import { request } from "../kit/api.js";
import { failed, loading } from "../kit/source.js";
import { actButton } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";

const texts = consoleTexts.list;
/** Filtered pages may be empty although more follow. After this many of them the person decides whether to read on. */
const MOST_EMPTY_PAGES = 10;
const PAGE = 50;

/** @param {{name: string, path: string, redraw: Function, empty: string}} options `name` is for screen readers */
export function createPaged({ name, path, redraw, empty }) {
  const id = `list-${path.replaceAll("/", "-")}`;
  let query = {};
  let latest = 0;
  const state = { items: undefined, cursor: undefined, next: null, isBusy: false, failure: undefined };

  /** Reads the present page, and returns the answer. One that a later request has overtaken changes nothing. */
  async function load() {
    latest += 1;
    const mine = latest;
    state.isBusy = true;
    redraw();
    const answer = await read(path, query, state.cursor);
    if (mine === latest) {
      take(answer);
    }
    return answer;
  }

  /** A filter that the service refuses matches nothing; its form says why. */
  function take(answer) {
    const { items, next_cursor: next = null } = answer.status === 200 ? answer.body : {};
    const isRefused = answer.status === 422;
    const failure = answer.status === 200 || isRefused ? undefined : answer;
    Object.assign(state, { isBusy: false, items: isRefused ? [] : items, next, failure });
    redraw();
  }

  const turn = (to) => {
    state.cursor = to;
    return load();
  };

  /** Another page begins at its top: the button was below the page before. */
  async function leaf(to) {
    await turn(to);
    document.getElementById(id)?.focus();
  }

  function open(filter = {}) {
    query = filter;
    return turn(undefined);
  }

  const view = (template) => listOf({ id, name, empty, state, load, leaf }, template);
  return { open, load, view };
}

/** Reads on over empty pages, up to a limit. */
async function read(path, query, cursor) {
  let position = cursor;
  for (let pages = 1; ; pages += 1) {
    const answer = await request("GET", path, { query: { ...query, limit: PAGE, cursor: position } });
    const { items, next_cursor: next } = answer.body;
    if (answer.status !== 200 || items.length > 0 || next === null || pages === MOST_EMPTY_PAGES) {
      return answer;
    }
    position = next;
  }
}

const listOf = ({ id, name, empty, state, load, leaf }, template) => html`
  <div class="stack" id=${id} role="group" aria-label=${name} tabindex="-1" aria-busy=${state.isBusy ? "true" : "false"}>
    <p class="visually-hidden" role="status">${state.items === undefined ? nothing : texts.count(name, state.items.length)}</p>
    ${state.failure ? failed(state.failure, load) : nothing}
    ${state.items === undefined ? (state.failure ? nothing : loading()) : pageOf({ state, empty, leaf }, template)}
  </div>
`;

const pageOf = ({ state, empty, leaf }, template) => html`
  ${state.items.length === 0 ? html`<p class="quiet">${state.next === null ? empty : texts.emptyPage}</p>` : template(state.items)}
  ${state.cursor === undefined && state.next === null ? nothing : pager(state, leaf)}
`;

const pager = ({ cursor, next, isBusy }, leaf) => html`<nav class="pager" aria-label=${texts.pages}>
  ${actButton({ label: texts.first, isBusy: isBusy || cursor === undefined, act: () => leaf(undefined) })}
  ${actButton({ label: texts.next, isBusy: isBusy || next === null, act: () => leaf(next) })}
</nav>`;

/** All items of a list, as far as ten pages of a hundred go; those before a failure. */
export async function allOf(path) {
  const all = [];
  let cursor;
  for (let pages = 0; pages < 10 && cursor !== null; pages += 1) {
    const { status, body } = await request("GET", path, { query: { limit: 100, cursor }, quiet: true });
    all.push(...(status === 200 ? body.items : []));
    cursor = status === 200 ? body.next_cursor : null;
  }
  return all;
}
