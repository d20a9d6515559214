// The list of universities: those of a person's roles, and all of them, with a form for another one, for an administrator of
// the platform.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { textField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { failed } from "../kit/source.js";
import { card, day, heading } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { createPaged } from "./paged.js";
import { noteOf } from "./parts.js";
import { rightsOf } from "./rights.js";
import { table } from "./table.js";

const texts = consoleTexts.universities;

const COLUMNS = [
  { name: texts.name, kind: "free", cell: ({ id, name }) => html`<a href="#/universities/${id}">${name}</a>` },
  { name: texts.slug, kind: "free", cell: ({ slug }) => slug },
  { name: texts.created, cell: ({ created_at: time }) => day(time) },
];

/** The fields of a university. Its form may be that of a new one, or of a change. */
export const universityFields = (form, { name, slug } = {}) => html`
  ${textField(form, { name: "name", label: texts.name, value: name })}
  ${textField(form, { name: "slug", label: texts.slug, hint: texts.slugHint, value: slug })}
`;

/** A request that the role of the person allows: an empty list does not tell whether the role counts in this session. */
function ask({ roles }) {
  if (rightsOf({ roles }).platform) {
    return request("GET", "admin/users", { query: { limit: 1 } });
  }
  return request("GET", `universities/${roles.find(({ university_id: id }) => id !== null).university_id}`);
}

export function openUniversities(host, context) {
  const note = context.takeNote();
  let refusal;
  const universities = createPaged({ name: texts.title, path: "universities", redraw: draw, empty: texts.none });
  const adding = createForm({
    id: "add",
    redraw: draw,
    wait: consoleTexts.saving,
    send: (body) => request("POST", "universities", { body }),
    done: async ({ body }) => {
      adding.reset();
      await universities.open();
      return texts.added(body.name);
    },
    refusals: { CONFLICT: texts.slugTaken },
  });

  async function load() {
    const { status, body } = await universities.open();
    const answer = status === 200 && body.items.length === 0 ? await ask(context.user) : undefined;
    refusal = answer?.status === 403 ? answer : undefined;
    draw();
  }

  function draw() {
    render(view(), host);
  }

  const view = () => html`
    ${heading(texts.title)} ${noteOf(note)}
    <section class="card" aria-label=${texts.title}>
      ${refusal
        ? failed(refusal, load)
        : universities.view((rows) => table({ caption: texts.title, columns: COLUMNS, rows }))}
    </section>
    ${rightsOf(context.user).platform
      ? card({ id: "add-title", title: texts.add, body: adding.view({ fields: universityFields(adding), submit: texts.add }) })
      : nothing}
  `;

  draw();
  load();
}
