// One user: what is known about the account, its roles and sessions, and what an administrator can do with it.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { textField } from "../kit/fields.js";
import { createForm, createTask } from "../kit/form.js";
import { createSource } from "../kit/source.js";
import { card, heading, moment } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { actButton, facts, idOf, shownOnce } from "./parts.js";
import { createPlaces } from "./places.js";
import { ACTS, ERASE } from "./user-acts.js";
import { createUserRoles } from "./user-roles.js";
import { stateBadge } from "./users.js";
import { table } from "./table.js";

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
]);

/** The page of the service on which the token sets a new password. */
const linkOf = (token) => new URL(`reset#token=${token}`, location.href).href;

export function openUser(host, context, id) {
  const path = `admin/users/${idOf(id)}`;
  let secret;
  const places = createPlaces(draw);
  const account = createSource({ redraw: draw, read: () => request("GET", path) });
  const sessions = createSource({ redraw: draw, read: () => request("GET", `${path}/sessions`) });
  const roles = createUserRoles({ redraw: draw, places, reload });
  const acting = createTask({
    id: "act",
    redraw: draw,
    wait: ({ wait }) => wait,
    send: (act) => act.send(account.value),
    done: finish,
    refusals: texts.refusals,
  });
  const rename = createForm({
    id: "rename",
    redraw: draw,
    wait: consoleTexts.saving,
    send: (body) => request("PATCH", path, { body }),
    done: async () => {
      await reload();
      return texts.renamed;
    },
  });

  async function reload() {
    const [answer] = await Promise.all([account.load(), sessions.load()]);
    if (answer.status === 200) {
      await places.load(answer.body.roles);
    }
  }

  async function start(act) {
    if (!act.confirm || (await confirm(act.confirm(account.value)))) {
      secret = undefined;
      await acting.run(act);
    }
  }

  /** The text of success. After an erasure there is nothing to show here any more. */
  async function finish(answer, act) {
    if (act === ERASE) {
      context.note = texts.erase.done(account.value.email);
      context.go("users");
      return [];
    }
    secret = answer.body.token && linkOf(answer.body.token);
    await reload();
    return typeof act.done === "function" ? act.done(answer) : act.done;
  }

  function hide() {
    secret = undefined;
    acting.clear();
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
      ${card({ id: "acts", title: texts.acts, body: actsOf(user) })}
      ${card({ id: "rename-title", title: texts.renameTitle, body: rename.view({
        fields: textField(rename, { name: "full_name", label: texts.name, value: user.full_name, optional: true }),
        submit: consoleTexts.save,
      }) })}
      ${card({ id: "roles", title: texts.roles, body: roles.view(user) })}
      ${card({ id: "sessions", title: texts.sessions, body: sessions.view(sessionsOf) })}
      ${card({ id: "erase", title: texts.erase.heading, body: html`<p>${texts.erase.hint}</p>${buttonOf(ERASE)}` })}
    `)}
  `;

  const actsOf = (user) => html`
    ${acting.result()}
    ${secret ? shownOnce({ id: "link", label: texts.link, value: secret, hint: texts.linkHint, close: hide }) : nothing}
    <ul class="acts">
      ${ACTS.filter(({ isOffered }) => isOffered?.(user) ?? true).map((act) => html`<li>
        ${buttonOf(act)} <p class="hint">${act.hint}</p>
      </li>`)}
    </ul>
  `;

  const buttonOf = (act) =>
    actButton({ label: act.label, kind: act.kind, isBusy: acting.isBusy, act: () => acting.isBusy || start(act) });

  const sessionsOf = ({ sessions: rows }) =>
    rows.length === 0 ? html`<p class="quiet">${texts.noSessions}</p>` : table({ caption: texts.sessions, columns: SESSION_COLUMNS, rows });

  draw();
  reload();
}
