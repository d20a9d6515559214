// Small templates that all views share. Texts of users are always text content.
//
//   heading(title)  notice({ kind, texts, requestId })  moment(value)  day(value)  copyButton(text, label)  badge(kind, text)
//   card({ title, body })  actButton({ label, isBusy, act })
import { html, nothing } from "lit-html";

import { commonTexts as texts } from "../texts.js";

const LANGUAGE = document.documentElement.lang;
const MOMENT = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium" });

/** The heading of a view. The router moves the focus to it. */
export const heading = (title) => html`<h1 tabindex="-1">${title}</h1>`;

/** Texts in a coloured box. `kind` is "wait", "note", "done" or "error". */
export const notice = ({ kind, texts: list, requestId }) => html`
  <div class="notice" data-kind=${kind}>
    ${list.map((text) => html`<p>${text}</p>`)}
    ${requestId ? html`<p class="small">${texts.requestId(requestId)}</p>` : nothing}
  </div>
`;

/** A section of a view. */
export const card = ({ title, body, id }) => html`
  <section class="card" aria-labelledby=${id}>
    <h2 id=${id}>${title}</h2>
    ${body}
  </section>
`;

/** A point in time of the service, with its exact value for programs. "–" without one. */
export const moment = (value) => (value ? html`<time datetime=${value}>${MOMENT.format(new Date(value))}</time>` : "–");
export const day = (value) => (value ? html`<time datetime=${value}>${DAY.format(new Date(value))}</time>` : "–");

/** A word about a state. `kind` is "good", "warn" or "plain". */
export const badge = (kind, text) => html`<span class="badge" data-kind=${kind}>${text}</span>`;

/**
 * A button that starts a task, unless one runs.
 * @param {{label: string, about?: string, kind?: string, isBusy: boolean, act: Function}} button `about` names the row for screen
 *   readers, because the buttons of a list have the same words
 */
export const actButton = ({ label, about, kind = "second", isBusy, act }) => html`<button type="button" class=${kind}
  aria-label=${about ? `${label}: ${about}` : nothing} aria-disabled=${isBusy ? "true" : nothing}
  @click=${() => isBusy || act()}>${label}</button>`;

/** A button that copies a text, and says so. */
export function copyButton(text, label = texts.copy) {
  const copy = async ({ currentTarget: button }) => {
    try {
      await navigator.clipboard.writeText(text);
      button.querySelector("[role=status]").textContent = texts.copied;
    } catch {
      button.querySelector("[role=status]").textContent = texts.notCopied;
    }
  };
  return html`<button type="button" class="second" @click=${copy}>${label}<span role="status" class="said"></span></button>`;
}

/** Saves a text as a file of the person. */
export function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
