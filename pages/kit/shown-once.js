// Texts that the service shows once: secrets, recovery codes. The dialog outlasts the view that asked for it, and must open before
// anything that may be gone with the view.
//
//   await showOnce({ title, hint, value, kept });   // `kept` is the label of the button that ends it
//   await openOnce({ title, open });                // with content of another kind
import { html, render } from "lit-html";

import { openDialog } from "./dialog.js";
import { page } from "./page.js";
import { copyButton, notice } from "./ui.js";

/** After a sign-out, another person may sit before the page. */
export const openOnce = (options) => (page.user === undefined ? Promise.resolve() : openDialog({ ...options, isSticky: true }));

export const showOnce = ({ title, hint, value, kept }) => openOnce({
  title,
  open: (host, close) => {
    render(html`
      ${notice({ kind: "warn", texts: [hint] })}
      <p class="secret mono" tabindex="0">${value}</p>
      <div class="actions">${copyButton(value)}
        <button type="button" autofocus @click=${() => close(true)}>${kept}</button></div>
    `, host);
  },
});
