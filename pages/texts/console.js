// The texts of /console: its frame and its overview. The other views have files of their own.
import * as services from "./console-services.js";
import * as universities from "./console-universities.js";
import * as users from "./console-users.js";

export const consoleTexts = {
  ...services,
  ...universities,
  ...users,
  title: "Console",
  account: "Your account",

  // Words of several views
  active: "Active",
  disabled: "Disabled",
  yes: "Yes",
  no: "No",
  acts: "Actions",
  save: "Save",
  remove: "Remove",
  delete: "Delete",
  saving: "Saving…",
  removing: "Removing…",
  kept: "I have kept it",

  list: {
    search: "Search",
    searching: "Searching…",
    count: (name, count) => `${name}: ${count} on this page`,
    pages: "Pages",
    first: "First page",
    next: "Next page",
    emptyPage: "Nothing on this page. There may be more on the next one.",
  },

  confirmation: {
    done: "Confirmed. Do it again within ten minutes.",
    refused: (name) => `${name} has not confirmed that it is you. Do it again, or choose another way.`,
  },

  signIn: {
    title: "Sign in to the console",
    hint: "For administrators. Trouble with the sign-in, or only your own account?",
    account: "Go to your account",
  },

  noRights: {
    title: "No administrator's role",
    texts: (email) => [
      `You are signed in as ${email}. This account administers neither the platform nor a university or department.`,
      "An administrator can give you such a role. After that, load this page again.",
    ],
    account: "Go to your account",
  },

  overview: { title: "Overview", readiness: "State of the service", traffic: "Sign-ins of the last 24 hours" },

  readiness: {
    states: {
      ready: "Ready",
      degraded: "Degraded",
      ok: "OK",
      failing: "Failing",
      not_asked: "Not asked",
      low: "Low",
      full: "Full",
      closed: "Closed",
      open: "Open",
      half_open: "Half open",
    },
    summaries: {
      ready: "The database answers, and requests are served.",
      degraded: "Requests that need the database are refused at present.",
    },
    unknown: "Unknown",
    database: "Database",
    storage: "Storage",
    breaker: "Circuit breaker",
    forced: "An operator forced this state.",
    alone: "The shared breaker is unreachable: this is the state of one isolate.",
    checked: (time) => `Checked at ${time}, every 5 seconds.`,
  },

  traffic: {
    signIns: { title: (count) => `Sign-ins: ${count}` },
    refusals: { title: (count) => `Refusals: ${count}` },
    most: (count, hour) => `Most in one hour: ${count}, from ${hour}.`,
    incomplete: (hour) => `More events than this page reads: the numbers from ${hour} on back are too low.`,
    asTable: "Show the numbers as a table",
    caption: "Sign-ins and refusals per hour",
    hour: "Hour from",
    signInsColumn: "Sign-ins",
    refusalsColumn: "Refusals",
    again: "Read again",
    reading: "Reading…",
  },
};
