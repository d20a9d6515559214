// Asks for a mail, and takes its code. The code belongs to the `flow` of the answer that asked for the mail.
//
//   const code = createMailedCode({ id, redraw, ask: (values) => request(…), send: ({ flow, code }) => request(…), done,
//     askFields: (form) => …, fields: (form) => …, askLabel, submit, wait });
//   html`${code.view()}`;  code.begin(flow);      // takes the code of a mail that another request has sent
import { html, nothing } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { codeField, textField } from "./fields.js";
import { duration } from "./failures.js";
import { createForm } from "./form.js";

/** The service sends an address one mail a minute, and answers alike if it sends none: the code in hand stays the valid one. */
const PAUSE_MS = 60_000;

/** Values that are alike for the service: an address may be typed in capitals, or with blanks around it. */
const key = (values) => JSON.stringify(values, (_, value) => (typeof value === "string" ? value.trim().toLowerCase() : value));

const emailField = (form, email) =>
  textField(form, { name: "email", label: texts.email, type: "email", autocomplete: "username", value: email });

/**
 * @param {object} options those of a form for the second step, and
 * @param {Function} options.ask sends the request for a mail
 * @param {Function} [options.askFields] the fields of the first step; by default the address
 * @param {Function} [options.fields] further fields of the second step
 * @param {string} [options.asked] the text after the request
 * @param {string} [options.flow] of a mail that is on its way
 */
export function createMailedCode(options) {
  const { id, redraw, ask, askFields = emailField, fields = () => nothing, asked = texts.mailAsked, refusals } = options;
  const { askLabel = texts.sendMail, submit } = options;
  let { flow } = options;
  let isAsking = flow === undefined;
  let last = isAsking ? { values: "", at: 0 } : { values: "{}", at: Date.now() };

  const asking = createForm({
    id: `${id}-ask`,
    redraw,
    wait: texts.askingForMail,
    refusals: options.askRefusals,
    send: (values) => (isEarly(values) ? Promise.resolve({ status: 202, body: { flow } }) : ask(values)),
    done: (answer, values) => arrive(answer.body.flow, values),
  });

  const form = createForm({
    ...options,
    refusals: { AUTH_INVALID_CREDENTIALS: texts.wrongCode, ...refusals },
    send: (values) => options.send({ ...values, flow }),
  });
  form.shown = isAsking ? undefined : { kind: "note", texts: [asked] };

  const pauseMs = () => last.at + PAUSE_MS - Date.now();
  const isEarly = (values) => key(values) === last.values && pauseMs() > 0;

  function arrive(newFlow, values) {
    const pause = isEarly(values) ? pauseMs() : 0;
    if (pause === 0) {
      begin(newFlow, values);
    }
    isAsking = false;
    form.show("note", pause > 0 ? texts.tooSoon(duration(pause / 1000)) : asked);
  }

  /** Takes the code of a mail that is on its way. */
  function begin(newFlow, values = {}) {
    flow = newFlow;
    last = { values: key(values), at: Date.now() };
    isAsking = false;
    redraw();
  }

  function again() {
    isAsking = true;
    form.clear();
    asking.element()?.querySelector("input, button")?.focus();
  }

  const view = (email) => (isAsking ? asking.view({ fields: askFields(asking, email), submit: askLabel }) : codeView());

  const codeView = () =>
    form.view({
      fields: html`${codeField(form, { name: "code", label: texts.mailCode, hint: texts.mailCodeHint, digits: 8 })} ${fields(form)}`,
      submit,
      extra: html`<button type="button" class="second" @click=${again}>${texts.anotherMail}</button>`,
    });

  return { view, begin, form, hasFlow: () => flow !== undefined };
}
