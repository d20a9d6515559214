// One university: its departments, roles and invitations, and for an administrator of the platform its name and its end.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { createSource } from "../kit/source.js";
import { card, heading, moment } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { createDepartments } from "./departments.js";
import { createGrant } from "./grant.js";
import { createInvitations } from "./invitations.js";
import { facts, idOf } from "./parts.js";
import { createPlaces } from "./places.js";
import { rightsIn, rightsOf } from "./rights.js";
import { createRoles } from "./roles.js";
import { createUniversityChange } from "./university-change.js";

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
  const change = createUniversityChange({ path, source, redraw: draw, deleted });

  /** Without a right to give roles, the service would refuse the other lists. */
  async function load() {
    const { status } = await source.load();
    if (status === 200) {
      const lists = rights.gives.length === 0 ? [departments] : [departments, roles, invitations];
      places.reload(id);
      lists.forEach((list) => list.load());
    }
  }

  function deleted(note) {
    context.note = note;
    context.go("universities");
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
      ${rightsOf(context.user).platform ? change.view(university) : nothing}
    `)}
  `;

  const managed = () => html`
    ${card({ id: "roles", title: texts.roles, body: roles.view() })}
    ${card({ id: "grant-title", title: texts.grantTitle, body: grant.view() })}
    ${card({ id: "invitations", title: texts.invitations, body: invitations.view() })}
  `;

  draw();
  load();
}

const factsOf = ({ id, slug, created_at: time }) => facts([
  [texts.id, id],
  [consoleTexts.universities.slug, slug],
  [consoleTexts.universities.created, moment(time)],
]);
