// Modal dialogs on the platform's <dialog>: it holds the focus, closes by Escape, and gives the focus back.
//
//   const value = await openDialog({ title, open: (host, close) => { …; return cleanUp } });   // undefined after Escape
//   if (await confirm({ title, texts: ["…"], action: "Remove", typed: email })) …
//
// A sticky dialog has no Escape, and outlasts the view that opened it: for texts that would be lost with it.
import { html, nothing, render } from "lit-html";

import { commonTexts as texts } from "../texts.js";

let count = 0;

/** The return value of dialogs that the page closes. Escape leaves it empty. */
const BY_PAGE = "page";

/**
 * Opens a dialog. `open` renders into `host` and may return a function that is called at the end. `close(value)` ends the
 * dialog, and the promise has the value.
 * @param {{title: string, open: Function, isSticky?: boolean}} options
 */
export function openDialog({ title, open, isSticky = false }) {
  const dialog = createDialog(title);
  if (isSticky) {
    makeSticky(dialog);
  }
  return new Promise((done) => {
    let value;
    let cleanUp;
    const close = (result) => {
      value = result;
      dialog.close(BY_PAGE);
    };
    dialog.addEventListener("close", () => {
      if (isSticky && dialog.returnValue !== BY_PAGE) {
        dialog.showModal();
        return;
      }
      cleanUp?.();
      dialog.remove();
      done(value);
    });
    dialog.showModal();
    cleanUp = open(dialog.querySelector(".dialog-body"), close);
    firstOf(dialog)?.focus();
  });
}

function createDialog(title) {
  count += 1;
  const id = `dialog-${count}`;
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", id);
  render(html`<h2 id=${id} tabindex="-1">${title}</h2><div class="dialog-body"></div>`, dialog);
  document.body.append(dialog);
  return dialog;
}

/** Browsers without `closedby` let a repeated Escape pass by the event "cancel": there, the key itself is stopped. */
function makeSticky(dialog) {
  dialog.setAttribute("data-sticky", "");
  dialog.setAttribute("closedby", "none");
  dialog.addEventListener("keydown", (event) => event.key === "Escape" && event.preventDefault());
  dialog.addEventListener("cancel", (event) => event.preventDefault());
}

/** Closes the open dialogs, as Escape does: those that belong to a view that is left, or all at the end of the session. */
export function closeDialogs({ isEnd = false } = {}) {
  document.querySelectorAll(isEnd ? "dialog" : "dialog:not([data-sticky])").forEach((dialog) => dialog.close(BY_PAGE));
}

/** The element to begin with: the first empty field, else the first one. */
function firstOf(dialog) {
  const fields = [...dialog.querySelectorAll("[autofocus], input:not([tabindex]), select, textarea")];
  return fields.find((field) => field.value === "") ?? fields[0];
}

/**
 * Asks before an act that cannot be undone. True if the person confirms it.
 * @param {{title: string, texts: string[], action: string, typed?: string, label?: string}} options `typed` is a text that must be
 *   typed before, `label` that of its field
 */
export async function confirm({ title, texts: paragraphs, action, typed, label }) {
  const open = (host, close) => {
    let given = "";
    const submit = (event) => {
      event.preventDefault();
      if (isTyped(given, typed)) {
        close(true);
      }
    };
    const draw = () => render(confirmation({ paragraphs, action, typed, label, given, submit, close, input }), host);
    const input = ({ target }) => {
      given = target.value;
      draw();
    };
    draw();
  };
  return (await openDialog({ title, open })) === true;
}

const isTyped = (given, typed) => typed === undefined || given.trim().toLowerCase() === typed.toLowerCase();

const confirmation = ({ paragraphs, action, typed, label, given, submit, close, input }) => html`
  <form @submit=${submit}>
    ${paragraphs.map((text) => html`<p>${text}</p>`)}
    ${typed === undefined
      ? nothing
      : html`<div class="field">
          <label for="confirm-typed">${label}</label>
          <input id="confirm-typed" autocomplete="off" autocapitalize="none" spellcheck="false" required @input=${input} />
        </div>`}
    <div class="actions">
      <button class="danger" aria-disabled=${isTyped(given, typed) ? nothing : "true"}>${action}</button>
      <button type="button" class="second" ?autofocus=${typed === undefined} @click=${() => close(false)}>${texts.cancel}</button>
    </div>
  </form>
`;
