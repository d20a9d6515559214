// The frame of a page: settings, session, bar, navigation and views. An entry module calls it once.
//
//   startApp({ title, closed: { "sign-in": view, … }, views: { overview: view, … }, nav: (context) => [{ id, label }], prepare });
//
// `closed` are the views without a session, `views` those with one. An entry of `nav` with an `href` leads to another page.
// `prepare(context)` runs after the sign-in; it may return an answer that is shown as a failure, or `{ views }` in place of the
// usual ones. `context` is for the views, another one after each sign-out:
//   settings, user             the answers of `pages/settings.json` and `users/me`
//   go(id, ...rest)            opens a view
//   note, takeNote()           a text for the next view, which takes it
//   news                       a success that is told over the next view, whichever it is
//   setUser(user), reloadUser()   after a change of the user
//   leave(note), signOut()     `leave` ends the session here, after the service has ended it
//   data                       free for the views
import { html, render } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { applyAccent } from "./accent.js";
import { request } from "./api.js";
import { closeDialogs } from "./dialog.js";
import { drawFrame } from "./frame.js";
import { page } from "./page.js";
import { createRouter } from "./router.js";
import { session } from "./session.js";
import { failed, loading } from "./source.js";
import { exchange } from "./transport.js";

const main = document.getElementById("main");
const router = createRouter({ host: main, onOpen });

/** The options of `startApp`. */
let app;
let context;
/** Is it known whether there is a session? */
let isStarted = false;
/** Are the views those of a signed-in user? */
let isOpen = false;
/** The id of the present view. */
let present;
/** The answer of a sign-out that failed. */
let failure;
/** The success that is told over the present view. */
let news;

export async function startApp(options) {
  app = options;
  document.getElementById("skip").addEventListener("click", (event) => {
    // The fragment belongs to the router.
    event.preventDefault();
    main.focus();
  });
  main.addEventListener("click", forgetNews);
  session.onChange(onSession);
  await begin();
}

/** The success is old after the first act in the view. */
function forgetNews({ target }) {
  if (news !== undefined && target.closest("button")) {
    news = undefined;
    draw();
  }
}

async function begin() {
  isStarted = false;
  document.body.dataset.session = "starting";
  render(loading(), fresh());
  const answer = await exchange("GET", "pages/settings.json");
  if (answer.status !== 200) {
    return fail(answer, begin);
  }
  page.settings = answer.body;
  applyAccent(answer.body.accent);
  context = createContext();
  const started = await session.start();
  isStarted = true;
  if (started.status === 200) {
    return enter({ isFirst: true });
  }
  return started.status === 401 || started.status === 403 ? showClosed({ isFirst: true }) : fail(started, begin);
}

function onSession(event) {
  // Before the start is over, its own answer says the same.
  if (!isStarted) {
    return;
  }
  if (event === "signed-out") {
    const { note, farewell } = context;
    context = createContext();
    context.note = farewell ?? note;
    closeDialogs({ isEnd: true });
    router.restart();
    showClosed();
  } else if (!isOpen) {
    enter();
  }
}

/** Shows the views of the signed-in user. A sign-out in between brings another context, and the views without a session. */
async function enter({ isFirst = false } = {}) {
  const own = context;
  isOpen = true;
  const answer = await own.reloadUser({ quiet: true });
  const prepared = answer.status === 200 && own === context ? await app.prepare?.(own) : undefined;
  if (own !== context) {
    return;
  }
  if (isDead(answer)) {
    session.forget();
  } else if (answer.status !== 200 || prepared?.status !== undefined) {
    fail(prepared ?? answer, enter);
  } else {
    router.use(prepared?.views ?? app.views, own, { isFirst });
  }
}

/** A session that has ended shows only when it is used: another tab may have told its token. */
const isDead = ({ status, code }) => status === 401 || (status === 403 && code === "AUTH_INACTIVE_USER");

/** Shows the views without a session. */
function showClosed({ isFirst = false } = {}) {
  isOpen = false;
  failure = undefined;
  page.user = undefined;
  router.use(app.closed, context, { isFirst });
}

/** A view that was left may still wait for an answer: it keeps the context that it had. */
function createContext() {
  const own = { settings: page.settings, user: undefined, note: undefined, data: {}, go: router.go, signOut };

  own.setUser = (user) => {
    own.user = user;
    if (own === context) {
      page.user = user;
      // The first view brings the frame along.
      if (present !== undefined) {
        draw();
      }
    }
  };
  own.reloadUser = async ({ quiet = false } = {}) => {
    const answer = await request("GET", "users/me", { quiet });
    if (answer.status === 200) {
      own.setUser(answer.body);
    }
    return answer;
  };
  own.leave = (note) => {
    own.note = note;
    session.end();
  };
  own.takeNote = () => {
    const { note } = own;
    own.note = undefined;
    return note;
  };
  return own;
}

async function signOut() {
  const own = context;
  if (own.farewell !== undefined) {
    return;
  }
  own.farewell = texts.signedOut;
  const answer = await session.signOut();
  own.farewell = undefined;
  if (own === context) {
    failure = answer;
    draw();
  }
}

function onOpen(id, view) {
  present = id;
  ({ news } = context);
  context.news = undefined;
  document.title = `${view.title} – ${context.settings.app_name}`;
  draw();
}

function draw() {
  const { user } = context;
  drawFrame(context, {
    title: app.title,
    failure,
    news,
    present,
    entries: isOpen && user ? app.nav(context) : undefined,
  });
}

/** Shows a failure in place of a view. */
function fail(answer, again) {
  document.body.dataset.session = "closed";
  render(html`<h1>${app.title}</h1>${failed(answer, () => again())}`, fresh());
}

/** A place for content outside the views. */
function fresh() {
  const element = Object.assign(document.createElement("div"), { className: "view" });
  main.replaceChildren(element);
  return element;
}
