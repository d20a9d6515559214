// The entry of /console: its views, and which of them the roles of the person open.
import { startApp } from "../kit/app.js";
import { consoleTexts as texts } from "../texts.js";
import { openEvents } from "./events.js";
import { openOverview } from "./overview.js";
import { rightsOf } from "./rights.js";
import { openService } from "./service.js";
import { openServices } from "./services.js";
import { createReturn } from "./step-up-return.js";
import { openNoRights, openSignIn } from "./strangers.js";
import { openUniversities } from "./universities.js";
import { openUniversity } from "./university.js";
import { openUser } from "./user.js";
import { openUsers } from "./users.js";

/** A list, or with an id in the fragment the one thing. */
const listOr = (title, openList, openOne) => ({
  title,
  open: (host, context, id) => (id === undefined ? openList : openOne)(host, context, id),
});

const universities = listOr(texts.universities.title, openUniversities, openUniversity);

const PLATFORM = {
  overview: { title: texts.overview.title, open: openOverview },
  users: listOr(texts.users.title, openUsers, openUser),
  events: { title: texts.events.title, open: openEvents },
  universities,
  services: listOr(texts.services.title, openServices, openService),
};

function viewsOf(user) {
  const rights = rightsOf(user);
  if (rights.platform) {
    return PLATFORM;
  }
  return rights.universities ? { universities } : { "no-rights": { title: texts.noRights.title, open: openNoRights } };
}

/** The list of views, and the way to the person's own account. */
function navOf(user) {
  const entries = Object.entries(viewsOf(user)).map(([id, { title }]) => ({ id, label: title }));
  const account = { id: "account", label: texts.account, href: "account" };
  return entries[0].id === "no-rights" ? [] : [...entries, account];
}

// Before anything else: the fragment of a return does not stay in the address bar.
const settle = createReturn();

startApp({
  title: texts.title,
  closed: { "sign-in": { title: texts.signIn.title, open: openSignIn } },
  views: PLATFORM,
  prepare: async (context) => (await settle(context)) ?? { views: viewsOf(context.user) },
  nav: ({ user }) => navOf(user),
});
