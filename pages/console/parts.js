// Small templates and helpers that the views of the console share.
import { html, nothing } from "lit-html";

import { showOnce } from "../kit/shown-once.js";
import { notice } from "../kit/ui.js";
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

/** A secret that the service shows once: `{title, hint, value}`. */
export const showSecret = (secret) => showOnce({ ...secret, kept: texts.kept });
