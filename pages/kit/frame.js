// The bar and the navigation around the views. `app.js` calls it after each change.
//
//   drawFrame(context, { title, entries, present, failure, news });
//
// `entries` are `{id, label, href?}`, or undefined without a session. `failure` is the answer of a sign-out that failed, `news`
// the text of a success that led to the view.
import { html, nothing, render } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { failureTexts } from "./failures.js";
import { notice } from "./ui.js";

const [bar, navigation] = ["bar", "nav"].map((id) => document.getElementById(id));

/** Before the first view the page has another state, in which the style sheet hides it for a second (`frame.css`). */
export function drawFrame(context, { title, entries, present, failure, news }) {
  document.body.dataset.session = entries ? "open" : "closed";
  render(barOf(context, title, { failure, news }), bar);
  render(entries ? navOf(entries, present) : nothing, navigation);
}

const barOf = ({ settings, user, signOut }, title, { failure, news }) => html`
  <div class="bar-inner">
    <div class="brand">
      ${settings.logo_url ? html`<img src=${settings.logo_url} alt="" height="28" />` : nothing}
      <span class="brand-name">${settings.app_name}</span> <span class="brand-page">${title}</span>
    </div>
    ${user
      ? html`<div class="who"><span class="who-name">${user.full_name ?? user.email}</span>
          <button type="button" class="second" @click=${signOut}>${texts.signOut}</button></div>`
      : nothing}
  </div>
  <div role="alert">${failure ? notice({ kind: "error", texts: [texts.notSignedOut, ...failureTexts(failure)] }) : nothing}</div>
  <div role="status">${news ? notice({ kind: "done", texts: [news] }) : nothing}</div>
`;

const navOf = (entries, present) => html`
  <ul>
    ${entries.map(({ id, label, href = `#/${id}` }) => html`<li>
      <a href=${href} aria-current=${id === present ? "page" : nothing}>${label}</a>
    </li>`)}
  </ul>
`;
