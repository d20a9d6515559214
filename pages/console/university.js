// One university: its departments, roles and invitations, and for an administrator of the platform its name and its end.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createForm, createTask } from "../kit/form.js";
import { createSource } from "../kit/source.js";
import { card, heading, moment } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { createDepartments } from "./departments.js";
import { createGrant } from "./grant.js";
import { createInvitations } from "./invitations.js";
import { actButton, facts, idOf } from "./parts.js";
import { createPlaces } from "./places.js";
import { rightsIn, rightsOf } from "./rights.js";
import { createRoles } from "./roles.js";
import { universityFields } from "./universities.js";

const texts = consoleTexts.university;

export function openUniversity(host, context, given) {
  const id = idOf(given);
  const path = `universities/${id}`;
  const rights = rightsIn(context.user, Number(id));
  const source = createSource({ redraw: draw, read: () => request("GET", path) });
  const places = createPlaces(draw);
  const parts = { path, rights, places, redraw: draw };
  const departments = createDepartments({ ...parts, changed: () => places.reload(id) });
  const roles = createRoles(parts);
  const invitations = createInvitations(parts);
  const grant = createGrant({ ...parts, changed: () => Promise.all([roles.load(), invitations.load()]) });
  const changing = createForm({
    id: "change",
    redraw: draw,
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
    redraw: draw,
    wait: consoleTexts.removing,
    send: () => request("DELETE", path),
    done: () => {
      context.note = texts.deleted(source.value.name);
      context.go("universities");
      return [];
    },
    refusals: { CONFLICT: texts.inUse },
  });

  async function load() {
    const { status } = await source.load();
    if (status === 200) {
      places.reload(id);
      [departments, roles, invitations].forEach((part) => part.load());
    }
  }

  async function remove() {
    const { name, slug } = source.value;
    const words = { title: texts.deleteTitle, texts: texts.deleteTexts(name), action: texts.delete };
    if (await confirm({ ...words, typed: slug, label: texts.deleteTyped(slug) })) {
      await deleting.run();
    }
  }

  function draw() {
    render(view(), host);
  }

  const view = () => html`
    <p class="back"><a href="#/universities">${texts.back}</a></p>
    ${heading(source.value?.name ?? texts.title)}
    ${source.view((university) => html`
      ${card({ id: "facts", title: texts.facts, body: factsOf(university) })}
      ${card({ id: "departments", title: texts.departments, body: departments.view() })}
      ${rights.gives.length === 0 ? html`<p class="quiet">${texts.noRights}</p>` : managed()}
      ${rightsOf(context.user).platform ? administered(university) : nothing}
    `)}
  `;

  const managed = () => html`
    ${card({ id: "roles", title: texts.roles, body: roles.view() })}
    ${card({ id: "grant-title", title: texts.grantTitle, body: grant.view() })}
    ${card({ id: "invitations", title: texts.invitations, body: invitations.view() })}
  `;

  const administered = (university) => html`
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

  draw();
  load();
}

const factsOf = ({ id, slug, created_at: time }) => facts([
  [texts.id, id],
  [consoleTexts.universities.slug, slug],
  [consoleTexts.universities.created, moment(time)],
]);
