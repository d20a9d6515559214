// The part of the security view for accounts at other providers: list, link, unlink. Names and addresses come from the providers,
// and are texts.
import { html, nothing } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createTask } from "../kit/form.js";
import { createProviders, nameOf } from "../kit/providers.js";
import { actButton, badge, day } from "../kit/ui.js";
import { accountTexts } from "../texts.js";

const texts = accountTexts.security.identities;

export function createIdentities({ context, redraw, reload }) {
  const { settings } = context;
  const providers = createProviders({
    id: "identity-link",
    redraw,
    providers: settings.providers,
    label: texts.link,
    kind: "second",
    purpose: "link",
    ask: (path, body) => request("POST", path, { body }),
  });

  const unlinking = createTask({
    id: "identity-unlink",
    redraw,
    wait: texts.unlinking,
    send: ({ id }) => request("DELETE", `users/me/identities/${id}`),
    done: async () => {
      await reload();
      return texts.unlinked;
    },
    refusals: { CONFLICT: texts.lastWay, 404: texts.gone },
  });

  async function unlink(identity) {
    const name = nameOf(settings, identity.provider);
    const question = { title: texts.unlinkTitle(name), texts: [texts.unlinkHint(name, addressOf(identity))], action: texts.unlink };
    if (await confirm(question)) {
      await unlinking.run(identity);
    }
  }

  const item = (identity) => itemOf(identity, nameOf(settings, identity.provider), { isBusy: unlinking.isBusy, unlink });

  const view = ({ identities }) => html`
    <p class="quiet">${texts.hint}</p>
    ${unlinking.result()}
    ${identities.length === 0 ? nothing : html`<ul class="list">${identities.map(item)}</ul>`}
    ${providers.result()}
    <div class="actions">${providers.buttons()}</div>
  `;
  return { view };
}

const itemOf = (identity, name, { isBusy, unlink }) => html`
  <li class="list-item">
    <div class="item-main">
      <span class="item-title">${name} ${identity.suspended ? badge("warn", texts.suspended) : nothing}</span>
      <span>${addressOf(identity)}</span>
      <span class="small">${texts.since} ${day(identity.created_at)}</span>
    </div>
    <div class="item-side">
      ${actButton({
        label: texts.unlink,
        about: `${name}, ${addressOf(identity)}`,
        kind: "second danger",
        isBusy,
        act: () => unlink(identity),
      })}
    </div>
  </li>
`;

/** An account at a provider may have no address. */
const addressOf = ({ email }) => email ?? texts.noEmail;
