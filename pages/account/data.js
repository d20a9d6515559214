// The view of the user's data: the export as a file, and the end of the account.
import { html, render } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createTask } from "../kit/form.js";
import { actButton, card, download, heading } from "../kit/ui.js";
import { accountTexts } from "../texts.js";

const texts = accountTexts.data;
/** The service limits exports per minute: a long one goes on after the pause. */
const LONGEST_PAUSE_S = 90;

export const dataView = { title: texts.title, open };

function open(host, context) {
  const redraw = () => draw();
  const parts = [createExport(redraw), createDeletion(redraw, context)];
  const draw = () => render(html`${heading(texts.title)} ${parts.map((part) => part.view())}`, host);
  draw();
}

function createExport(redraw) {
  const exporting = createTask({
    id: "export",
    redraw,
    wait: texts.exporting,
    send: readAll,
    done: ({ body }) => {
      const { next_cursor: _, ...all } = body;
      download(`account-${new Date().toISOString().slice(0, 10)}.json`, JSON.stringify(all, null, 2), "application/json");
      return texts.exported;
    },
  });

  const view = () => card({
    id: "export-card",
    title: texts.exportTitle,
    body: html`<p>${texts.exportHint}</p>${buttonOf(exporting, { label: texts.export, kind: "", act: () => exporting.run() })}`,
  });
  return { view };
}

function createDeletion(redraw, context) {
  const deleting = createTask({
    id: "delete",
    redraw,
    wait: texts.deleting,
    send: () => request("POST", "users/me/delete"),
    done: () => {
      context.leave(texts.deleted);
      return [];
    },
    refusals: { CONFLICT: texts.lastAdministrator },
  });

  async function remove() {
    const { email } = context.user;
    const words = { title: texts.deleteTitle, texts: texts.deleteTexts, action: texts.deleteForEver };
    if (await confirm({ ...words, typed: email, label: texts.typeAddress(email) })) {
      await deleting.run();
    }
  }

  const view = () => card({
    id: "delete-card",
    title: texts.deleteTitle,
    body: html`<p>${texts.deleteHint}</p>${buttonOf(deleting, { label: texts.delete, kind: "danger second", act: remove })}`,
  });
  return { view };
}

const buttonOf = (task, button) => html`
  ${task.result()}
  <div class="actions">${actButton({ ...button, isBusy: task.isBusy })}</div>
`;

/** All pages of the export as one answer, or the first failure. */
async function readAll() {
  let all;
  let cursor;
  do {
    const answer = await readPage(cursor);
    if (answer.status !== 200) {
      return answer;
    }
    const { body } = answer;
    all = all === undefined ? body : joined(all, body);
    cursor = body.next_cursor;
  } while (cursor !== null);
  return { status: 200, body: all };
}

/** Sessions, keys and factors are on the first page only. */
const joined = (all, page) => ({
  ...all,
  enrollments: [...all.enrollments, ...page.enrollments],
  audit_events: [...all.audit_events, ...page.audit_events],
});

async function readPage(cursor) {
  const answer = await request("GET", "users/me/export", { query: { cursor } });
  if (cursor === undefined || answer.status !== 429 || !(answer.seconds > 0 && answer.seconds <= LONGEST_PAUSE_S)) {
    return answer;
  }
  await new Promise((done) => setTimeout(done, answer.seconds * 1000));
  return readPage(cursor);
}
