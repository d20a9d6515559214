// The first view of a signed-in user: name, address, roles, and second factors that wait for their owner.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { textField } from "../kit/fields.js";
import { createForm, createTask } from "../kit/form.js";
import { actButton, badge, card, heading, moment, notice } from "../kit/ui.js";
import { accountTexts, commonTexts } from "../texts.js";
import { createEnrolment } from "./enrolment.js";
import { createVerification } from "./verification.js";

const texts = accountTexts.overview;

export const overviewView = { title: texts.title, open };

function open(host, context) {
  const redraw = () => draw();
  let verified = false;
  const verification = createVerification({ redraw, context, done: finishVerification });
  const name = nameForm(redraw, context);
  const roles = createRoles(redraw, context.user.roles);
  const suspended = createSuspended(redraw, context.settings);

  function finishVerification() {
    verified = true;
    draw();
    host.querySelector("#verified")?.focus();
  }

  function draw() {
    const { user, settings } = context;
    const canVerify = settings.mail && settings.email_verification !== "off";
    render(html`
      ${heading(texts.title)}
      ${suspended.view()}
      ${verified
        ? html`<div id="verified" tabindex="-1">${notice({ kind: "done", texts: [texts.verifiedNow(user.email)] })}</div>`
        : nothing}
      ${user.email_verified || !canVerify ? nothing : card({ id: "verify", title: texts.verify, body: verification.view() })}
      ${card({ id: "profile", title: texts.profile, body: profile(user, canVerify, name) })}
      ${card({ id: "roles", title: texts.roles, body: roles.view() })}
    `, host);
  }

  draw();
  roles.load();
  suspended.load();
}

const profile = (user, canVerify, name) => html`
  <dl class="facts">
    <div><dt>${commonTexts.email}</dt>
      <dd>${user.email} ${stateOf(user, canVerify)}</dd></div>
    <div><dt>${texts.since}</dt><dd>${moment(user.created_at)}</dd></div>
  </dl>
  ${name.view({
    fields: textField(name, {
      name: "full_name",
      label: texts.name,
      autocomplete: "name",
      optional: true,
      value: user.full_name ?? "",
    }),
    submit: texts.saveName,
  })}
`;

function stateOf(user, canVerify) {
  if (user.email_verified) {
    return badge("good", texts.verified);
  }
  return canVerify ? badge("warn", texts.unverified) : nothing;
}

function nameForm(redraw, context) {
  return createForm({
    id: "name",
    redraw,
    wait: texts.savingName,
    send: (values) => request("PATCH", "users/me", { body: { full_name: values.full_name || null } }),
    done: ({ body }) => {
      context.setUser(body);
      return texts.nameSaved;
    },
  });
}

/** The roles, with the names of the universities that the user may see. */
function createRoles(redraw, roles) {
  const names = new Map();

  async function load() {
    const ids = new Set(roles.map(({ university_id: id }) => id).filter((id) => id !== null));
    await Promise.all([...ids].map(async (id) => {
      const { status, body } = await request("GET", `universities/${id}`, { quiet: true });
      if (status === 200) {
        names.set(id, body.name);
      }
    }));
    redraw();
  }

  const placeOf = ({ university_id: id, department_id: department }) => [
    ...(id === null ? [] : [names.get(id) ?? texts.university(id)]),
    ...(department === null ? [] : [texts.department(department)]),
  ];

  const item = (role) => html`
    <li class="list-item"><div class="item-main">
      <span class="item-title">${commonTexts.roles[role.role] ?? role.role}</span>
      <span class="quiet">${placeOf(role).join(" · ")}</span>
    </div></li>
  `;

  const view = () =>
    roles.length === 0 ? html`<p class="quiet">${texts.noRoles}</p>` : html`<ul class="list">${roles.map(item)}</ul>`;
  return { load, view };
}

/** Second factors and linked accounts that a new password by mail has suspended, until their owner confirms them. */
function createSuspended(redraw, { providers = [] }) {
  let isAny = false;
  const confirmed = createTask({ id: "factors-confirmed", redraw });
  const confirming = createEnrolment({
    id: "confirm-factors",
    redraw,
    wait: texts.confirmingFactors,
    send: (proof) => request("POST", "users/me/factors/confirm", { body: proof }),
    done: () => {
      isAny = false;
      confirmed.show("done", texts.factorsConfirmed);
      return [];
    },
  });

  async function load() {
    const [{ body }, { body: keys }, { body: accounts }] = await Promise.all([
      request("GET", "users/me/mfa", { quiet: true }),
      request("GET", "users/me/passkeys", { quiet: true, query: { limit: 100 } }),
      providers.length > 0 ? request("GET", "users/me/identities", { quiet: true }) : { body: {} },
    ]);
    isAny = Boolean(body.totp?.suspended) || [...(keys.items ?? []), ...(accounts.identities ?? [])].some(({ suspended }) => suspended);
    redraw();
  }

  const view = () => html`
    ${confirmed.result()}
    ${isAny
      ? html`<div class="notice" data-kind="warn">
          <p>${texts.suspended}</p>
          <p>${texts.suspendedHint} <a href="#/security">${texts.toSecurity}</a></p>
          <div class="actions">
            ${actButton({ label: texts.confirmFactors, kind: "", isBusy: confirming.isBusy(), act: () => confirming.start() })}
          </div>
          ${confirming.view()}
        </div>`
      : nothing}
  `;
  return { load, view };
}
