// The departments of a university. Their list is open to each of its members, changes to its administrators.
import { html, nothing } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { textField } from "../kit/fields.js";
import { createForm, createTask } from "../kit/form.js";
import { actButton } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { createPaged } from "./paged.js";
import { table } from "./table.js";

const texts = consoleTexts.departments;

export function createDepartments({ path, rights, redraw, changed }) {
  const list = createPaged({ name: texts.title, path: `${path}/departments`, redraw, empty: texts.none });
  const adding = createForm({
    id: "add-department",
    redraw,
    wait: consoleTexts.saving,
    send: (body) => request("POST", `${path}/departments`, { body }),
    done: async ({ body }) => {
      adding.reset();
      await Promise.all([list.load(), changed()]);
      return texts.added(body.name);
    },
    refusals: { CONFLICT: texts.exists },
  });
  const removing = createTask({
    id: "delete-department",
    redraw,
    wait: consoleTexts.removing,
    send: ({ id }) => request("DELETE", `${path}/departments/${id}`),
    done: async (answer, { name }) => {
      await Promise.all([list.load(), changed()]);
      return texts.deleted(name);
    },
    refusals: { CONFLICT: texts.inUse },
  });

  async function remove(department) {
    if (await confirm({ title: texts.deleteTitle, texts: [texts.deleteText(department.name)], action: consoleTexts.delete })) {
      await removing.run(department);
    }
  }

  const columns = [
    { name: texts.name, kind: "free", cell: ({ name }) => name },
    { name: texts.id, cell: ({ id }) => id },
    {
      name: consoleTexts.acts,
      kind: "act",
      cell: (row) => actButton({ label: consoleTexts.delete, about: row.name, isBusy: removing.isBusy, act: () => remove(row) }),
    },
  ];

  const view = () => html`
    ${removing.result()}
    ${list.view((rows) => table({ caption: texts.title, columns: rights.manages ? columns : columns.slice(0, 2), rows }))}
    ${rights.manages
      ? adding.view({ fields: textField(adding, { name: "name", label: texts.newName }), submit: texts.add, kind: "second" })
      : nothing}
  `;

  return { load: () => list.open(), view };
}
