// The views for people that the console does not open to: without a session, or without a role of an administrator.
import { html, render } from "lit-html";

import { createSignIn } from "../kit/sign-in.js";
import { heading, notice } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { noteOf } from "./parts.js";

export function openSignIn(host, context) {
  const texts = consoleTexts.signIn;
  const note = context.takeNote();
  const signIn = createSignIn({ id: "sign-in", settings: context.settings, redraw: () => draw() });
  const links = html`<p class="quiet">${texts.hint} <a href="account">${texts.account}</a></p>`;

  const draw = () => render(html`${heading(texts.title)} ${noteOf(note)} ${signIn.view({ links })}`, host);

  draw();
  signIn.open();
  return signIn.close;
}

export function openNoRights(host, { user }) {
  const texts = consoleTexts.noRights;
  render(html`
    ${heading(texts.title)}
    ${notice({ kind: "note", texts: texts.texts(user.email) })}
    <p><a href="account">${texts.account}</a></p>
  `, host);
}
