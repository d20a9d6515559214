// The first view of a signed-in user: name, address, roles.
import { html, render } from "lit-html";

import { heading } from "../kit/ui.js";
import { accountTexts as texts } from "../texts.js";

export const overviewView = { title: texts.overview.title, open };

function open(host, context) {
  render(html`${heading(texts.overview.title)}<p>${context.user.email}</p>`, host);
}
