// The entry of /account: its views, and their order in the navigation.
import { startApp } from "../kit/app.js";
import { isReturn, takeReturn } from "../kit/federation.js";
import { accountTexts as texts } from "../texts.js";
import { addressView } from "./address.js";
import { dataView } from "./data.js";
import { createFederatedView } from "./federated.js";
import { forgotView } from "./forgot.js";
import { keysView } from "./keys.js";
import { overviewView } from "./overview.js";
import { registerView } from "./register.js";
import { securityView } from "./security.js";
import { sessionsView } from "./sessions.js";
import { signInView } from "./sign-in.js";

const views = {
  overview: overviewView,
  security: securityView,
  sessions: sessionsView,
  address: addressView,
  keys: keysView,
  data: dataView,
};

/** Without mail no address can be proven, so none can be changed. */
const isOffered = (id, { settings }) => id !== "address" || settings.mail;

/** The roles that have something to do in /console. */
const ADMINISTRATORS = ["DEPARTMENT_ADMIN", "UNIVERSITY_ADMIN", "PLATFORM_ADMIN"];

const consoleFor = ({ user }) =>
  user.roles.some(({ role }) => ADMINISTRATORS.includes(role)) ? [{ id: "console", label: texts.console, href: "console" }] : [];

const entriesFor = (context) =>
  Object.entries(views)
    .filter(([id]) => isOffered(id, context))
    .map(([id, { title }]) => ({ id, label: title }));

// Before anything else: the fragment of a return does not stay in the address bar.
const federated = createFederatedView(takeReturn());
addEventListener("hashchange", () => isReturn() && location.reload());

startApp({
  title: texts.title,
  closed: { "sign-in": signInView, register: registerView, forgot: forgotView, federated },
  views: { ...views, federated },
  nav: (context) => [...entriesFor(context), ...consoleFor(context)],
});
