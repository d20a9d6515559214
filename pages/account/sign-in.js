// The view of the sign-in, with the ways to an account or to a new password.
import { html, nothing, render } from "lit-html";

import { createSignIn } from "../kit/sign-in.js";
import { heading, notice } from "../kit/ui.js";
import { accountTexts as texts } from "../texts.js";

const words = texts.signIn;

export const signInView = { title: words.title, open };

function open(host, context) {
  const { settings } = context;
  let note = context.takeNote();
  const signIn = createSignIn({ id: "sign-in", settings, redraw: () => draw() });

  const links = html`
    <ul class="links">
      ${settings.registration === "closed" ? nothing : html`<li><a href="#/register">${words.register}</a></li>`}
      ${settings.mail ? html`<li><a href="#/forgot">${words.forgot}</a></li>` : nothing}
      ${settings.mail && settings.email_verification !== "off" ? html`<li><a href="verify">${words.verify}</a></li>` : nothing}
    </ul>
  `;

  const draw = () => render(html`
    ${heading(words.title)}
    <div class="result" role="status">${note ? notice({ kind: "note", texts: [note] }) : nothing}</div>
    ${signIn.view({ links })}
  `, host);

  /** The news of the view before is old after the first act here. */
  function forgetNote({ target }) {
    if (target.closest("button")) {
      note = undefined;
      draw();
    }
  }

  host.addEventListener("click", forgetNote);
  draw();
  signIn.open();
  return signIn.close;
}
