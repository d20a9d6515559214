// The dialog for a session that ended in the middle of something: the page below keeps its content, and the request goes on
// after the sign-in. Only `api.js` calls it. Another user than before gets a new page (`session.js`).
import { html, render } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { openDialog } from "./dialog.js";
import { page } from "./page.js";
import { session } from "./session.js";
import { createSignIn } from "./sign-in.js";

/** Several requests wait for one dialog. */
let running;

/** True after a sign-in, here or in another tab; false if the person leaves. */
export function signInAgain() {
  running ??= openDialog({ title: texts.signInAgainTitle, open, isSticky: true }).finally(() => {
    running = undefined;
  });
  return running;
}

function open(host, close) {
  const { settings, user } = page;
  const { leaving } = texts;
  const signIn = createSignIn({ id: "sign-in-again", settings, email: user?.email, leaving, redraw: () => draw() });
  const ignore = session.onChange((event) => close(event === "signed-in"));
  const leave = () => {
    close(false);
    session.end();
  };

  const draw = () => render(html`
    <p>${texts.signInAgainHint}</p>
    ${signIn.view()}
    <button type="button" class="plain" @click=${leave}>${texts.leave}</button>
  `, host);
  draw();
  signIn.open();
  return () => {
    ignore();
    signIn.close();
  };
}
