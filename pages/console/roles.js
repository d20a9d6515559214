// The roles of users in a university, as far as the person may see them.
import { html } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createTask } from "../kit/form.js";
import { actButton } from "../kit/ui.js";
import { commonTexts, consoleTexts } from "../texts.js";
import { createPaged } from "./paged.js";
import { table } from "./table.js";

const texts = consoleTexts.university;

/** "Instructor", or "Instructor, Department of Physics". */
export const roleText = ({ role, department_id: department }, places) =>
  [commonTexts.roles[role] ?? role, department && places.department(department)].filter(Boolean).join(", ");

export function createRoles({ path, rights, places, redraw }) {
  const list = createPaged({ name: texts.roles, path: `${path}/roles`, redraw, empty: texts.noRoles });
  const removing = createTask({
    id: "remove-role",
    redraw,
    wait: consoleTexts.removing,
    send: ({ id }) => request("DELETE", `${path}/roles/${id}`),
    done: async (answer, { email }) => {
      await list.load();
      return texts.roleRemoved(email);
    },
    refusals: { CONFLICT: texts.lastAdministrator },
  });

  async function remove(grant) {
    const words = { title: texts.removeRoleTitle, texts: [texts.removeRoleText(grant.email, roleText(grant, places))] };
    if (await confirm({ ...words, action: texts.removeRole })) {
      await removing.run(grant);
    }
  }

  const button = (row) =>
    rights.gives.includes(row.role)
      ? actButton({
          label: consoleTexts.remove,
          about: `${roleText(row, places)}, ${row.email}`,
          isBusy: removing.isBusy,
          act: () => remove(row),
        })
      : "";

  const columns = [
    { name: texts.person, kind: "free", cell: ({ email }) => email },
    { name: texts.personName, kind: "free", cell: ({ full_name: name }) => name ?? "–" },
    { name: texts.userId, cell: ({ user_id: id }) => id },
    { name: texts.role, kind: "free", cell: (row) => roleText(row, places) },
    { name: consoleTexts.acts, kind: "act", cell: button },
  ];

  const view = () => html`
    ${removing.result()} ${list.view((rows) => table({ caption: texts.roles, columns, rows }))}
  `;

  return { load: () => list.open(), view };
}
