// Changes of a service account: its name and scopes, whether it is active, and its end.
import { html } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createForm, createTask } from "../kit/form.js";
import { actButton, card } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { createDeletion } from "./deletion.js";
import { serviceFields } from "./services.js";

const texts = consoleTexts.service;

/** @param {{path: string, source: object, redraw: Function, deleted: Function}} view `source` holds the account */
export function createServiceChange({ path, source, redraw, deleted }) {
  const change = (body) => request("PATCH", path, { body });
  const took = (body, text) => {
    source.set(body);
    return text;
  };
  const common = { redraw, wait: consoleTexts.saving, send: change };
  const changing = createForm({ ...common, id: "change", done: ({ body }) => took(body, texts.changed) });
  const switching = createTask({
    ...common,
    id: "switch",
    done: ({ body }) => took(body, body.is_active ? texts.enabled : texts.disabled),
  });
  const deletion = createDeletion({
    path, source, redraw, deleted, texts,
    words: ({ name }) => ({ texts: texts.deleteTexts(name), typed: name, label: texts.deleteTyped }),
  });

  async function toggle() {
    const { name, is_active: isActive } = source.value;
    const words = { title: texts.disableTitle, texts: texts.disableTexts(name), action: texts.disable };
    if (!isActive || (await confirm(words))) {
      await switching.run({ is_active: !isActive });
    }
  }

  const view = (account) => html`
    ${card({ id: "change-title", title: texts.changeTitle, body: changing.view({
      fields: serviceFields(changing, account),
      submit: consoleTexts.save,
    }) })}
    ${card({ id: "end", title: texts.endTitle, body: html`
      ${switching.result()} ${deletion.result()}
      <div class="actions">
        ${actButton({ label: account.is_active ? texts.disable : texts.enable, isBusy: switching.isBusy, act: toggle })}
        ${deletion.button()}
      </div>
    ` })}
  `;

  return { view };
}
