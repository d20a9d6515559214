// The frame of a page: settings, session, bar, navigation and views. An entry module calls it once.
//
//   startApp({ title, closed: { "sign-in": view, … }, views: { overview: view, … }, nav: (context) => [{ id, label }], prepare });
//
// `closed` are the views without a session, `views` those with one. An entry of `nav` with an `href` leads to another page.
// `prepare(context)` runs after the sign-in; it may return an answer that is shown as a failure, or `{ views }` in place of the
// usual ones. `context` is for the views:
//   settings, user             the answers of `pages/settings.json` and `users/me`
//   go(id, ...rest)            opens a view
//   note, takeNote()           a text for the next view, which takes it
//   setUser(user), reloadUser()   after a change of the user
//   leave(note), signOut()     `leave` ends the session here, after the service has ended it
//   data                       free for the views; emptied at the sign-out
import { html, nothing, render } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { applyAccent } from "./accent.js";
import { request } from "./api.js";
import { page } from "./page.js";
import { createRouter } from "./router.js";
import { session } from "./session.js";
import { failed, loading } from "./source.js";
import { exchange } from "./transport.js";
import { failureTexts } from "./failures.js";
import { notice } from "./ui.js";

const [bar, navigation, main] = ["bar", "nav", "main"].map((id) => document.getElementById(id));

export async function startApp({ title, closed, views, nav, prepare = () => undefined }) {
  /** Is the frame that of a signed-in user? */
  let isOpen = false;
  /** Is it known whether there is a session? */
  let isStarted = false;
  let failure;
  let present;
  const context = { settings: undefined, user: undefined, note: undefined, data: {}, go: (...parts) => router.go(...parts), leave: depart, signOut, setUser, reloadUser, takeNote };
  const router = createRouter({ host: main, context, onOpen });

  async function begin() {
    document.body.dataset.session = "closed";
    render(loading(), fresh());
    const answer = await exchange("GET", "pages/settings.json");
    if (answer.status !== 200) {
      return fail(answer, begin);
    }
    page.settings = context.settings = answer.body;
    applyAccent(answer.body.accent);
    const started = await session.start();
    isStarted = true;
    if (started.status === 200) {
      return enter(true);
    }
    return started.status === 401 || started.status === 403 ? leave(undefined, true) : fail(started, begin);
  }

  function fail(answer, again) {
    render(html`<h1>${title}</h1>${failed(answer, again)}`, fresh());
  }

  async function reloadUser() {
    const answer = await request("GET", "users/me");
    if (answer.status === 200) {
      setUser(answer.body);
    }
    return answer;
  }

  function setUser(user) {
    page.user = context.user = user;
    draw();
  }

  /** Shows the views of the signed-in user. */
  async function enter(isFirst = false) {
    isOpen = true;
    const answer = await reloadUser();
    if (answer.status !== 200) {
      return fail(answer, () => enter());
    }
    const prepared = (await prepare(context)) ?? {};
    if (prepared.status !== undefined) {
      return fail(prepared, () => enter());
    }
    return router.use(prepared.views ?? views, { isFirst });
  }

  /** Shows the views without a session. */
  function leave(note, isFirst = false) {
    isOpen = false;
    failure = undefined;
    page.user = context.user = undefined;
    context.data = {};
    context.note = note;
    if (!isFirst) {
      router.restart();
    }
    router.use(closed, { isFirst });
  }

  async function signOut() {
    context.note = texts.signedOut;
    const answer = await session.signOut();
    if (answer.status !== 200 && answer.status !== 401) {
      context.note = undefined;
      failure = answer;
      draw();
    }
  }

  function depart(note) {
    context.note = note;
    session.end();
  }

  /** The text for the next view, once. */
  function takeNote() {
    const { note } = context;
    context.note = undefined;
    return note;
  }

  function onOpen(id, view) {
    present = id;
    document.title = `${view.title} – ${context.settings.app_name}`;
    draw();
  }

  function draw() {
    document.body.dataset.session = isOpen && context.user ? "open" : "closed";
    render(barOf(context, { title, signOut, failure }), bar);
    render(isOpen && context.user ? navOf(nav(context), present) : nothing, navigation);
  }

  document.getElementById("skip").addEventListener("click", (event) => {
    // The fragment belongs to the router.
    event.preventDefault();
    main.focus();
  });
  session.onChange((event) => {
    if (event === "signed-out") {
      leave(context.note);
    } else if (isStarted && !isOpen) {
      enter();
    }
  });
  await begin();
}

/** A place for what is no view. */
function fresh() {
  const element = Object.assign(document.createElement("div"), { className: "view" });
  main.replaceChildren(element);
  return element;
}

const barOf = ({ settings, user }, { title, signOut, failure }) => html`
  <div class="bar-inner">
    <div class="brand">
      ${settings.logo_url ? html`<img src=${settings.logo_url} alt="" height="28" />` : nothing}
      <span class="brand-name">${settings.app_name}</span> <span class="brand-page">${title}</span>
    </div>
    ${user
      ? html`<div class="who"><span class="who-name">${user.full_name ?? user.email}</span>
          <button type="button" class="second" @click=${signOut}>${texts.signOut}</button></div>`
      : nothing}
  </div>
  <div role="alert">${failure ? notice({ kind: "error", texts: [texts.notSignedOut, ...failureTexts(failure)] }) : nothing}</div>
`;

const navOf = (entries, present) => html`
  <ul>
    ${entries.map(({ id, label, href = `#/${id}` }) => html`<li>
      <a href=${href} aria-current=${id === present ? "page" : nothing}>${label}</a>
    </li>`)}
  </ul>
`;
