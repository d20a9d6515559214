// The view after the return from another provider: it exchanges the code for the sign-in, the link or the step-up that this tab has
// begun there. A second factor or a mailed code can come in between (`federated-steps.js`).
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { refusesCookies } from "../kit/failures.js";
import { EXCHANGE, isUnused } from "../kit/federation.js";
import { createTask } from "../kit/form.js";
import { createProviders, nameOf } from "../kit/providers.js";
import { session } from "../kit/session.js";
import { actButton, heading, notice } from "../kit/ui.js";
import { accountTexts, commonTexts } from "../texts.js";
import { createSteps } from "./federated-steps.js";
import { noNewAccountText } from "./register.js";

const texts = accountTexts.federated;

const asUser = (path, body) => request("POST", path, { body });

/** The purposes of an exchange: its request, and the way on after its success. */
const PURPOSES = {
  "sign-in": {
    send: (proof) => session.signIn(EXCHANGE, proof),
    finish(context, { body, back }) {
      context.data.verificationFlow = body.flow;
      leaveTo(context, back);
      session.accept(body);
    },
  },
  link: {
    ask: asUser,
    send: (proof) => asUser(EXCHANGE, proof),
    finish(context, { back, name }) {
      context.news = texts.linked(name);
      leaveTo(context, back);
    },
  },
  "step-up": {
    ask: asUser,
    send: (proof) => asUser(EXCHANGE, proof),
    finish(context, { body, back }) {
      session.confirm(body);
      context.news = texts.confirmed;
      leaveTo(context, back);
    },
  },
};

/** The fragment at the end of a place: "#/security". */
const viewIn = (place) => `#${place.split("#")[1] || "/"}`;

/** Goes back to the place where all began. The return stays in no history. */
function leaveTo({ user }, place) {
  const view = viewIn(place);
  if (!place.startsWith("account")) {
    location.replace(place);
  } else if (user) {
    location.replace(view);
  } else {
    // The views of a signed-in user are about to open.
    history.replaceState(null, "", view);
  }
}

/** @param {object|undefined} taken the return with which the page was opened, if there is one */
export function createFederatedView(taken) {
  let returned = taken;

  function open(host, context) {
    const own = returned;
    returned = undefined;
    if (own === undefined) {
      // By the history of the browser, or a reload: there is nothing left to exchange.
      location.replace("#/");
    } else if (own.flow === undefined) {
      openForeign(host, context);
    } else {
      openReturn(host, context, own);
    }
  }

  return { title: texts.title, open };
}

/** This tab has begun nothing, so the code stays unused. */
const openForeign = (host, { user }) => render(html`
  ${heading(texts.title)}
  ${notice({ kind: "note", texts: [texts.foreign] })}
  <p><a href=${user ? "#/security" : "#/sign-in"}>${texts.beginAgain}</a></p>
`, host);

function openReturn(host, context, returned) {
  const { user, settings } = context;
  const { provider, purpose, back } = returned;
  const { ask } = PURPOSES[purpose];
  const name = nameOf(settings, provider);
  const redraw = () => draw();
  const exchange = createExchange({ context, returned, name, redraw });
  const again = createProviders({
    id: "federated-again",
    redraw,
    providers: [{ id: provider, name }],
    label: () => texts.beginAgain,
    kind: "second",
    purpose,
    back,
    ask,
  });
  /** A link and a step-up are acts of a signed-in user. */
  const isAllowed = ask === undefined || user !== undefined;

  const ways = () => html`
    ${again.result()}
    <div class="actions">${exchange.isRepeatable() ? repeatButton(exchange.run) : again.buttons()}</div>
    ${exchange.isUnverified() ? html`<p><a href="verify">${accountTexts.signIn.verify}</a></p>` : nothing}
  `;

  const view = () => html`
    ${exchange.task.result()}
    ${exchange.hasFailed()
      ? html`${isAllowed ? ways() : nothing}
          <p><a href=${user ? viewIn(back) : "#/sign-in"}>${user ? commonTexts.back : texts.otherWays}</a></p>`
      : nothing}
  `;

  const draw = () => render(html`
    ${heading(texts.heading(name))}
    <div class=${user ? "card" : "stack"}>${exchange.step() ?? view()}</div>
  `, host);

  draw();
  // The frame shows the view after this: an element that is hidden takes no focus.
  queueMicrotask(() => (isAllowed ? exchange.start() : exchange.task.show("error", texts.sessionEnded)));
}

const repeatButton = (act) => actButton({ label: commonTexts.again, kind: "", isBusy: false, act });

/** The exchange of the code, or the error in its place, with the steps that can follow. */
function createExchange({ context, returned: { flow, code, error, purpose, back }, name, redraw }) {
  const { settings } = context;
  const { send, ask, finish } = PURPOSES[purpose];
  /** The answer to the code; undefined without one. */
  let answer;

  const done = ({ body }) => {
    finish(context, { body, back, name });
    return [];
  };
  const exchange = (more) => send({ flow, code, ...more });
  const steps = createSteps({ settings, redraw, name, done, exchange, isSignIn: ask === undefined });
  const task = createTask({
    id: "federated",
    redraw,
    wait: texts.waits[purpose],
    send: () => exchange(),
    intercept: steps.intercept,
    done,
    refusals: refusalsFor(name, settings),
  });

  async function run() {
    answer = await task.run();
    redraw();
  }

  return {
    task,
    run,
    start: () => (error === undefined ? run() : task.show("error", errorText(error)(name))),
    step: steps.view,
    hasFailed: () => task.shown?.kind === "error",
    isRepeatable: () => answer !== undefined && (isUnused(answer) || answer.code === "AUTH_STEP_UP_REQUIRED"),
    isUnverified: () => answer?.code === "AUTH_EMAIL_NOT_VERIFIED",
  };
}

const { errors } = texts;
const errorText = (name) => (Object.hasOwn(errors, name) ? errors[name] : errors.server_error);

const refusalsFor = (name, { registration }) => ({
  AUTH_INVALID_CREDENTIALS: texts.expired(name),
  422: errors.invalid_request(name),
  CONFLICT: ({ details }) => errors[details.reason]?.(name),
  FORBIDDEN: (answer) => (refusesCookies(answer) ? undefined : [texts.unknown(name), noNewAccountText(registration)]),
});
