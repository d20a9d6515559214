// The roles of a user, with the names of their places. A role is removed here, and granted at its university.
import { html } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createTask } from "../kit/form.js";
import { actButton } from "../kit/ui.js";
import { commonTexts, consoleTexts } from "../texts.js";

const texts = consoleTexts.user;

/** The path of a role. That of the platform belongs to no university, so any of them is named. */
async function pathOf({ id, university_id: university }) {
  if (university !== null) {
    return `universities/${university}/roles/${id}`;
  }
  const { body } = await request("GET", "universities", { query: { limit: 1 } });
  return `universities/${body.items?.[0]?.id ?? 0}/roles/${id}`;
}

export function createUserRoles({ redraw, places, reload }) {
  const removing = createTask({
    id: "remove-role",
    redraw,
    wait: consoleTexts.removing,
    send: async (role) => request("DELETE", await pathOf(role)),
    done: async () => {
      await reload();
      return texts.roleRemoved;
    },
    refusals: { CONFLICT: texts.refusals.CONFLICT },
  });

  const nameOf = ({ role, university_id: university, department_id: department }) => {
    const place = [university && places.university(university), department && places.department(department)].filter(Boolean);
    return [commonTexts.roles[role] ?? role, ...place].join(", ");
  };

  async function remove(role, { email }) {
    const { title, action } = texts.removeRole;
    if (await confirm({ title, texts: texts.removeRole.texts(email, nameOf(role)), action })) {
      await removing.run(role);
    }
  }

  const item = (role, user) => html`<li>
    <span>${commonTexts.roles[role.role] ?? role.role}${role.university_id
        ? html` <span class="quiet">${role.department_id ? `${places.department(role.department_id)}, ` : ""}</span
          ><a href="#/universities/${role.university_id}">${places.university(role.university_id)}</a>`
        : ""}</span>
    ${actButton({ label: consoleTexts.remove, about: nameOf(role), isBusy: removing.isBusy, act: () => remove(role, user) })}
  </li>`;

  const view = (user) => html`
    ${removing.result()}
    ${user.roles.length === 0
      ? html`<p class="quiet">${texts.noRoles}</p>`
      : html`<ul class="plain-list">${user.roles.map((role) => item(role, user))}</ul>`}
  `;

  return { view };
}
