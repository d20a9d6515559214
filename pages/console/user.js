// One user: facts about the account, its roles and sessions, and the acts of an administrator.
import { html, render } from "lit-html";

import { request } from "../kit/api.js";
import { textField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { createSource } from "../kit/source.js";
import { card, heading, moment } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { facts, idOf } from "./parts.js";
import { createPlaces } from "./places.js";
import { table } from "./table.js";
import { createPanel } from "./user-panel.js";
import { createUserRoles } from "./user-roles.js";
import { stateBadge } from "./users.js";

const texts = consoleTexts.user;

const SESSION_COLUMNS = [
  { name: texts.started, cell: ({ created_at: time }) => moment(time) },
  { name: texts.lastUsed, cell: ({ last_used_at: time }) => moment(time) },
  { name: texts.network, cell: ({ ip }) => ip ?? "–" },
  { name: texts.program, kind: "free long", cell: ({ user_agent: agent }) => agent ?? "–" },
];

const factsOf = (user) => facts([
  [texts.id, user.id],
  [texts.email, user.email],
  [texts.name, user.full_name],
  [texts.state, stateBadge(user)],
  [texts.verified, user.email_verified ? consoleTexts.yes : consoleTexts.no],
  [texts.mailRefused, user.mail_refused_at === null ? undefined : moment(user.mail_refused_at)],
  [texts.registered, moment(user.created_at)],
  [texts.factors, user.factors && texts.factorsOf(user.factors)],
  [texts.identities, user.factors?.identities],
]);

export function openUser(host, context, id) {
  const path = `admin/users/${idOf(id)}`;
  const places = createPlaces(draw);
  const account = createSource({ redraw: draw, read: () => request("GET", path) });
  const sessions = createSource({ redraw: draw, read: () => request("GET", `${path}/sessions`) });
  const roles = createUserRoles({ redraw: draw, places, reload });
  const panel = createPanel({ redraw: draw, account, reload, erased });
  const rename = createRename({ redraw: draw, path, reload });

  async function reload() {
    const [answer] = await Promise.all([account.load(), sessions.load()]);
    if (answer.status === 200) {
      await places.load(answer.body.roles);
    }
  }

  function erased(note) {
    context.note = note;
    context.go("users");
  }

  function draw() {
    render(view(), host);
  }

  const view = () => html`
    <p class="back"><a href="#/users">${texts.back}</a></p>
    ${heading(account.value?.full_name ?? account.value?.email ?? texts.title)}
    ${account.view((user) => html`
      ${card({ id: "facts", title: texts.facts, body: html`${factsOf(user)}
        <p><a href="#/events/${user.id}">${texts.events}</a></p>` })}
      ${card({ id: "acts", title: texts.acts, body: panel.view(user) })}
      ${card({ id: "rename-title", title: texts.renameTitle, body: rename.view({
        fields: textField(rename, { name: "full_name", label: texts.name, value: user.full_name, optional: true }),
        submit: consoleTexts.save,
      }) })}
      ${card({ id: "roles", title: texts.roles, body: roles.view(user) })}
      ${card({ id: "sessions", title: texts.sessions, body: sessions.view(sessionsOf) })}
      ${card({ id: "erase", title: texts.erase.heading, body: panel.erasure() })}
    `)}
  `;

  draw();
  reload();
}

const createRename = ({ redraw, path, reload }) =>
  createForm({
    id: "rename",
    redraw,
    wait: consoleTexts.saving,
    send: (body) => request("PATCH", path, { body }),
    done: async () => {
      await reload();
      return texts.renamed;
    },
  });

const sessionsOf = ({ sessions: rows }) =>
  rows.length === 0
    ? html`<p class="quiet">${texts.noSessions}</p>`
    : table({ caption: texts.sessions, columns: SESSION_COLUMNS, rows });
