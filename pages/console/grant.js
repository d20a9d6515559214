// The form that gives a role: at once, or by an invitation to the address. The service decides which; the form says which it was.
import { html, nothing } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { ownFailure } from "../kit/failures.js";
import { selectField, textField } from "../kit/fields.js";
import { createForm } from "../kit/form.js";
import { commonTexts, consoleTexts } from "../texts.js";
import { showSecret } from "./parts.js";
import { departmentOf } from "./rights.js";
import { roleText } from "./roles.js";

const texts = consoleTexts.university;
const DEPARTMENT = { name: "department_id", label: texts.department };

/** The page on which the owner of the address accepts. */
const linkOf = (token) => new URL(`invite#token=${token}`, location.href).href;

/** A user is named by id, in digits, or by address. */
function nameOf(text) {
  const name = text.trim();
  return /^[0-9]+$/.test(name) ? { user_id: Number(name) } : { email: name };
}

export function createGrant({ path, rights, places, redraw, changed }) {
  let role = rights.gives[0];
  const form = createForm({ id: "grant", redraw, wait: texts.granting, send, done, refusals: { CONFLICT: conflict } });

  async function send({ person, role: chosen, department_id: department }) {
    if (chosen === "PLATFORM_ADMIN" && !(await confirm({ ...texts.platformAdmin, texts: texts.platformAdmin.texts(person) }))) {
      return ownFailure(texts.notGranted);
    }
    const narrowed = department ? { department_id: Number(department) } : {};
    return atPerson(await request("POST", `${path}/roles`, { body: { ...nameOf(person), role: chosen, ...narrowed } }));
  }

  async function done({ status, body }) {
    const { token, email } = body.invitation ?? {};
    if (token) {
      await showSecret({ title: texts.link, hint: texts.linkHint, value: linkOf(token) });
    }
    form.reset();
    await changed();
    if (status === 201) {
      return texts.granted(body.email, roleText(body, places));
    }
    return token ? texts.invitedByHand(email) : texts.invited(email);
  }

  const choose = ({ target }) => {
    if (target.name === "role") {
      role = target.value;
      redraw();
    }
  };

  const view = () => html`
    <div @change=${choose}>
      ${form.view({
        fields: html`
          ${textField(form, { name: "person", label: texts.who, hint: texts.whoHint })}
          ${selectField(form, { name: "role", label: texts.role, options: roleOptions(rights), value: role })}
          ${departmentOf(role) === "none"
            ? nothing
            : selectField(form, { ...DEPARTMENT, options: departmentOptions(role, rights, places) })}
        `,
        submit: texts.grant,
      })}
    </div>
  `;

  return { view };
}

/** The one field of the form has two names in the API. */
function atPerson(answer) {
  const errors = answer.details?.errors?.map((error) =>
    ["email", "user_id"].includes(error.loc[1]) ? { ...error, loc: ["body", "person"] } : error,
  );
  return errors ? { ...answer, details: { ...answer.details, errors } } : answer;
}

const roleOptions = ({ gives }) => gives.map((value) => ({ value, label: commonTexts.roles[value] }));

function departmentOptions(role, { departments }, places) {
  const all = places.departments().filter(({ id }) => departments === null || departments.includes(id));
  const whole = departments === null && departmentOf(role) === "allowed" ? [{ value: "", label: texts.wholeUniversity }] : [];
  return [...whole, ...all.map(({ id, name }) => ({ value: String(id), label: name }))];
}

/** One code has several reasons. */
function conflict({ body }) {
  const message = body.error?.message ?? "";
  if (/invitations/.test(message)) {
    return texts.tooManyInvitations;
  }
  return /too many/i.test(message) ? texts.tooManyRoles : texts.hasRole;
}
