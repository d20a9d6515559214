// Small templates and helpers that the views of the console share.
import { html, nothing } from "lit-html";

import { copyButton, notice } from "../kit/ui.js";
import { consoleTexts as texts } from "../texts.js";

/** An id of the fragment, or "0", which no row has: only digits go into a path. */
export const idOf = (text) => (/^[0-9]{1,16}$/.test(text ?? "") ? text : "0");

/** The outcome of the view before. */
export const noteOf = (note) => html`<div class="result" role="status">
  ${note ? notice({ kind: "done", texts: [note] }) : nothing}
</div>`;

/** "Second factor refused" for `second_factor_refused`. */
export function wordsOf(name) {
  const words = name.replace("sign_in_", "sign-in ").replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Terms with their values, without those that are undefined. */
export const facts = (entries) => html`<dl class="facts">
  ${entries
    .filter(([, value]) => value !== undefined)
    .map(([term, value]) => html`<div><dt>${term}</dt><dd>${value ?? "–"}</dd></div>`)}
</dl>`;

/**
 * A secret that the service shows once.
 * @param {{id: string, label: string, value: string, hint: string, close: Function}} secret
 */
export const shownOnce = ({ id, label, value, hint, close }) => html`
  <div class="once">
    <label for=${id}>${label}</label>
    <input id=${id} readonly spellcheck="false" autocomplete="off" .value=${value} aria-describedby="${id}-hint"
      @focus=${({ target }) => target.select()} />
    <p class="hint" id="${id}-hint">${hint}</p>
    <div class="actions">
      ${copyButton(value)} <button type="button" class="second" @click=${close}>${texts.once.close}</button>
    </div>
  </div>
`;

/**
 * A button that starts a task, unless one runs.
 * @param {{label: string, about?: string, kind?: string, isBusy: boolean, act: Function}} button `about` names the row for screen
 *   readers, because the buttons of a list have the same words
 */
export const actButton = ({ label, about, kind = "second", isBusy, act }) => html`<button type="button" class=${kind}
  aria-label=${about ? `${label}: ${about}` : nothing} aria-disabled=${isBusy ? "true" : nothing}
  @click=${() => isBusy || act()}>${label}</button>`;
