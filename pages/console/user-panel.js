// The acts of user-acts.js on the page: questions, waits, outcomes, and the link that is shown once, in a dialog.
import { html } from "lit-html";

import { confirm } from "../kit/dialog.js";
import { createTask } from "../kit/form.js";
import { actButton } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { showSecret } from "./parts.js";
import { ACTS, ERASE } from "./user-acts.js";

const texts = consoleTexts.user;

/** The page of the service on which the token sets a new password. */
const linkOf = (token) => new URL(`reset#token=${token}`, location.href).href;

const showLink = (token) => showSecret({ title: texts.link, hint: texts.linkHint, value: linkOf(token) });

/** @param {{redraw: Function, account: object, reload: Function, erased: Function}} view `account` is the source of the user */
export function createPanel({ redraw, account, reload, erased }) {
  const acting = createTask({
    id: "act",
    redraw,
    wait: ({ wait }) => wait,
    send: (act) => act.send(account.value),
    done: finish,
    refusals: texts.refusals,
  });

  async function start(act) {
    if (!act.confirm || (await confirm(act.confirm(account.value)))) {
      await acting.run(act);
    }
  }

  /** The text of success. After an erasure there is nothing to show here any more. */
  async function finish(answer, act) {
    if (act === ERASE) {
      erased(texts.erase.done(account.value.email));
      return [];
    }
    if (answer.body.token) {
      await showLink(answer.body.token);
    }
    await reload();
    return typeof act.done === "function" ? act.done(answer) : act.done;
  }

  const button = (act) => actButton({ label: act.label, kind: act.kind, isBusy: acting.isBusy, act: () => start(act) });

  const item = (act) => html`<li>${button(act)} <p class="hint">${act.hint}</p></li>`;

  const view = (user) => html`
    ${acting.result()}
    <ul class="acts">${ACTS.filter(({ isOffered }) => isOffered?.(user) ?? true).map(item)}</ul>
  `;

  const erasure = () => html`<p>${texts.erase.hint}</p>${button(ERASE)}`;

  return { view, erasure };
}
