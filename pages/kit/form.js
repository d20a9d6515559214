// Forms and single acts: the wait, the faults of a 422 at their fields, refusals with the request id, the focus on results.
//
// A task is an act with a result, for example a button in a list:
//   const ending = createTask({ id: "ending", redraw, wait: texts.ending, send: (id) => request("DELETE", `auth/sessions/${id}`),
//     done: () => texts.ended, refusals: { 404: texts.gone } });
//   html`${ending.result()} <button @click=${() => ending.run(id)}>…</button>`
//
// A form is a task with fields (fields.js has their templates):
//   const form = createForm({ id: "name", redraw, wait, send: (values) => request("PATCH", "users/me", { body: values }), done });
//   form.view({ fields: [textField(form, { name: "full_name", label })], submit: texts.save })
//
// `redraw` renders the view again. `done(answer, values)` returns the text or texts of success; without one, the place stays empty.
// `refusals` has texts by the code of an error or by its status: a text, a list, or a function of the answer. `intercept(answer)`
// returns true for an answer that another part of the view takes over.
import { html, nothing } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { failureTexts, isExplained } from "./failures.js";
import { notice } from "./ui.js";

/** The task with the latest success: its text goes as soon as another task shows something. */
let succeeded;

/** @param {{id: string, redraw: Function, wait: string, send: Function, done?: Function, refusals?: object}} options */
export function createTask(options) {
  const { id, redraw, wait, send, done, refusals = {} } = options;
  const task = { id, isBusy: false, shown: undefined, run, result, show, clear, fail };

  /** Sends, one request at a time, and shows the outcome. Returns the answer. */
  async function run(values) {
    if (task.isBusy) {
      return undefined;
    }
    task.isBusy = true;
    display({ kind: "wait", texts: [typeof wait === "function" ? wait(values) : wait] });
    const answer = await send(values);
    task.isBusy = false;
    if (options.intercept?.(answer, values)) {
      clear();
    } else if (answer.status >= 200 && answer.status < 300) {
      show("done", (await done?.(answer, values)) ?? []);
    } else {
      fail(answer, values);
    }
    return answer;
  }

  /** Shows a refusal. A form does so at its fields, if it can. */
  function fail(answer, values) {
    if (options.atFields?.(answer)) {
      return;
    }
    const { text, requestId } = refusalOf(answer, values, refusals);
    show("error", text, requestId);
  }

  /** Shows a result, "done", "note" or "error", and moves the focus to it. */
  function show(kind, text, requestId) {
    const list = [text].flat();
    display(list.length === 0 ? undefined : { kind, texts: list, requestId });
    if (list.length > 0) {
      document.getElementById(`${id}-result`)?.focus();
    }
  }

  function display(shown) {
    if (shown !== undefined) {
      const before = succeeded;
      succeeded = shown.kind === "done" ? task : undefined;
      if (before !== task) {
        before?.clear();
      }
    }
    task.shown = shown;
    redraw();
  }

  function clear() {
    display(undefined);
  }

  function result() {
    return resultOf(task);
  }

  return task;
}

/** The words for an answer, with its request id if that helps. */
function refusalOf(answer, values, refusals) {
  const own = refusals[answer.code] ?? refusals[answer.status];
  const text = typeof own === "function" ? own(answer, values) : own;
  const requestId = text !== undefined || isExplained(answer) ? undefined : answer.requestId;
  return { text: text ?? failureTexts(answer), requestId };
}

/** The place of the result. It must be on the page before the result, so that screen readers announce it. */
const resultOf = ({ id, shown }) =>
  html`<div id="${id}-result" class="result" role="status" tabindex="-1">${shown ? notice(shown) : nothing}</div>`;

/** A task with fields. Options as of `createTask`; `element()` is the form on the page. */
export function createForm(options) {
  const faults = {};
  const form = Object.assign(createTask({ ...options, atFields }), { faults, view, element, reset });
  const { run } = form;

  function element() {
    return document.getElementById(options.id);
  }

  function reset() {
    element()?.reset();
  }

  async function submit(event) {
    event.preventDefault();
    if (form.isBusy) {
      return;
    }
    conceal(event.target);
    clearFaults();
    await run(valuesOf(event.target));
  }

  function clearFaults() {
    Object.keys(faults).forEach((name) => delete faults[name]);
  }

  /** Shows a 422 at its fields. False if one of them is not in this form. */
  function atFields({ status, details }) {
    const found = status === 422 ? (details.errors ?? []).map(({ loc, msg }) => ({ name: loc[1], msg })) : [];
    const inputs = found.map(({ name }) => element()?.querySelector(`[name="${CSS.escape(String(name))}"]`));
    if (inputs.length === 0 || inputs.some((input) => !input || input.type === "hidden")) {
      return false;
    }
    for (const { name, msg } of found) {
      faults[name] = [...(faults[name] ?? []), msg];
    }
    form.show("error", texts.faulty);
    inputs[0].focus();
    return true;
  }

  /**
   * @param {{fields: unknown, submit: string, kind?: string, extra?: unknown, after?: unknown}} parts `kind` is a class of the
   *   button, `extra` stands beside it
   */
  function view({ fields, submit: label, kind = "", extra = nothing, after = nothing }) {
    return html`
      <form id=${options.id} class="form" @submit=${submit}>
        ${form.result()} ${fields}
        <div class="actions"><button class=${kind} aria-disabled=${form.isBusy ? "true" : nothing}>${label}</button>${extra}</div>
        ${after}
      </form>
    `;
  }

  return form;
}

/** The values of the fields. Boxes of one name that can be ticked together (`data-list`) make a list. */
function valuesOf(form) {
  const data = new FormData(form);
  const lists = [...form.querySelectorAll("[data-list]")].map(({ name }) => [name, data.getAll(name)]);
  return { ...Object.fromEntries(data), ...Object.fromEntries(lists) };
}

/** A shown password is hidden again before it is sent. */
function conceal(form) {
  form.querySelectorAll("input[data-password]").forEach((input) => (input.type = "password"));
  form.querySelectorAll("button[aria-pressed]").forEach((button) => button.setAttribute("aria-pressed", "false"));
}
