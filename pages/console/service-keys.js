// The keys of a service account: at most two, so that a backend can change from one to the next.
import { html } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { textField } from "../kit/fields.js";
import { createForm, createTask } from "../kit/form.js";
import { actButton, moment } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { createPaged } from "./paged.js";
import { showSecret } from "./parts.js";
import { table } from "./table.js";

const texts = consoleTexts.serviceKeys;

/** The end of a day in the time zone of the browser; undefined without a date. */
const endOf = (date) => (date ? { expires_at: new Date(`${date}T23:59:59`).toISOString() } : {});

export function createServiceKeys({ path, redraw }) {
  const list = createPaged({ name: texts.title, path, redraw, empty: texts.none });
  const adding = createAdding({ path, redraw, list });
  const withdrawing = createTask({
    id: "withdraw-key",
    redraw,
    wait: texts.withdrawing,
    send: ({ id }) => request("DELETE", `${path}/${id}`),
    done: async () => {
      await list.load();
      return texts.withdrawn;
    },
  });

  async function withdraw(key) {
    if (await confirm({ title: texts.withdrawTitle, texts: [texts.withdrawText(nameOf(key))], action: texts.withdraw })) {
      await withdrawing.run(key);
    }
  }

  const button = (key) =>
    actButton({ label: texts.withdraw, about: nameOf(key), isBusy: withdrawing.isBusy, act: () => withdraw(key) });
  const columns = [...COLUMNS, { name: consoleTexts.acts, kind: "act", cell: button }];

  const view = () => html`
    ${withdrawing.result()} ${list.view((rows) => table({ caption: texts.title, columns, rows }))} ${addingView(adding)}
  `;

  return { load: () => list.open(), view };
}

function createAdding({ path, redraw, list }) {
  const adding = createForm({
    id: "add-key",
    redraw,
    wait: texts.making,
    send: ({ name, expires_at: date }) => request("POST", path, { body: { ...(name.trim() && { name }), ...endOf(date) } }),
    done: async ({ body }) => {
      await showSecret({ title: texts.key, hint: texts.keyHint, value: body.key });
      adding.reset();
      await list.load();
      return texts.made;
    },
    refusals: { CONFLICT: texts.tooMany },
  });
  return adding;
}

const addingView = (adding) => adding.view({
  fields: html`<div class="filters">
    ${textField(adding, { name: "name", label: texts.name, optional: true })}
    ${textField(adding, { name: "expires_at", label: texts.expiresOn, type: "date", optional: true })}
  </div>`,
  submit: texts.make,
  kind: "second",
});

const nameOf = ({ id, name }) => name ?? texts.unnamed(id);

const COLUMNS = [
  { name: texts.name, kind: "free", cell: nameOf },
  { name: texts.createdAt, cell: ({ created_at: time }) => moment(time) },
  { name: texts.expiresAt, cell: ({ expires_at: time }) => (time === null ? texts.never : moment(time)) },
  { name: texts.lastUsedAt, cell: ({ last_used_at: time }) => (time === null ? texts.notUsed : moment(time)) },
];
