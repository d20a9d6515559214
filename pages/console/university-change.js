// Changes of a university itself, for administrators of the platform: its name and short name, and its end.
import { html } from "lit-html";

import { request } from "../kit/api.js";
import { createForm } from "../kit/form.js";
import { card } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { createDeletion } from "./deletion.js";
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
  const deletion = createDeletion({
    path, source, redraw, deleted, texts,
    words: ({ name, slug }) => ({ texts: texts.deleteTexts(name), typed: slug, label: texts.deleteTyped(slug) }),
    refusals: { CONFLICT: texts.inUse },
  });

  const view = (university) => html`
    ${card({ id: "change-title", title: texts.changeTitle, body: changing.view({
      fields: universityFields(changing, university),
      submit: consoleTexts.save,
    }) })}
    ${card({ id: "delete-title", title: texts.deleteTitle, body: html`
      ${deletion.result()}
      <p>${texts.deleteHint}</p>
      ${deletion.button()}
    ` })}
  `;

  return { view };
}
