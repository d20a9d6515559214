// The invitations of a university that are still to be accepted.
import { html } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createTask } from "../kit/form.js";
import { actButton, moment } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { createPaged } from "./paged.js";
import { roleText } from "./roles.js";
import { table } from "./table.js";

const texts = consoleTexts.invitations;

export function createInvitations({ path, rights, places, redraw }) {
  const list = createPaged({ name: texts.title, path: `${path}/invitations`, redraw, empty: texts.none });
  const withdrawing = createTask({
    id: "withdraw",
    redraw,
    wait: texts.withdrawing,
    send: ({ id }) => request("DELETE", `${path}/invitations/${id}`),
    done: async (answer, { email }) => {
      await list.load();
      return texts.withdrawn(email);
    },
    refusals: { NOT_FOUND: texts.gone },
  });

  async function withdraw(invitation) {
    if (await confirm({ title: texts.withdrawTitle, texts: [texts.withdrawText(invitation.email)], action: texts.withdraw })) {
      await withdrawing.run(invitation);
    }
  }

  const button = (row) =>
    rights.gives.includes(row.role)
      ? actButton({ label: texts.withdraw, about: row.email, isBusy: withdrawing.isBusy, act: () => withdraw(row) })
      : "";

  const columns = [
    { name: texts.email, kind: "free", cell: ({ email }) => email },
    { name: texts.role, kind: "free", cell: (row) => roleText(row, places) },
    { name: texts.by, cell: ({ invited_by: id }) => texts.user(id) },
    { name: texts.expires, cell: ({ expires_at: time }) => moment(time) },
    { name: consoleTexts.acts, kind: "act", cell: button },
  ];

  const view = () => html`
    ${withdrawing.result()} ${list.view((rows) => table({ caption: texts.title, columns, rows }))}
  `;

  return { load: () => list.open(), view };
}
