// Changes of a university itself, for administrators of the platform: its name and short name, and its end.
import { html } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createForm, createTask } from "../kit/form.js";
import { actButton, card } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { universityFields } from "./universities.js";

const texts = consoleTexts.university;

/** @param {{path: string, source: object, redraw: Function, deleted: Function}} view `source` holds the university */
export function createUniversityChange({ path, source, redraw, deleted }) {
  const changing = createForm({
    id: "change",
    redraw,
    wait: consoleTexts.saving,
    send: (body) => request("PATCH", path, { body }),
    done: ({ body }) => {
      source.set(body);
      return texts.changed;
    },
    refusals: { CONFLICT: consoleTexts.universities.slugTaken },
  });
  const deleting = createTask({
    id: "delete",
    redraw,
    wait: consoleTexts.removing,
    send: () => request("DELETE", path),
    done: () => {
      deleted(texts.deleted(source.value.name));
      return [];
    },
    refusals: { CONFLICT: texts.inUse },
  });

  async function remove() {
    const { name, slug } = source.value;
    const words = { title: texts.deleteTitle, texts: texts.deleteTexts(name), action: texts.delete };
    if (await confirm({ ...words, typed: slug, label: texts.deleteTyped(slug) })) {
      await deleting.run();
    }
  }

  const view = (university) => html`
    ${card({ id: "change-title", title: texts.changeTitle, body: changing.view({
      fields: universityFields(changing, university),
      submit: consoleTexts.save,
    }) })}
    ${card({ id: "delete-title", title: texts.deleteTitle, body: html`
      ${deleting.result()}
      <p>${texts.deleteHint}</p>
      ${actButton({ label: texts.delete, kind: "danger", isBusy: deleting.isBusy, act: remove })}
    ` })}
  `;

  return { view };
}
