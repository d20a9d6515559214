// The texts of /account about other providers: the return from one, and the linked accounts.

export const federated = {
  title: "Sign-in with a provider",
  heading: (name) => `Continue with ${name}`,
  waits: {
    "sign-in": "Signing in…",
    link: "Linking the account…",
    "step-up": "Confirming that it is you…",
  },
  linked: (name) => `Your account at ${name} is linked. It signs you in from now on.`,
  confirmed: "Confirmed. Do it again within ten minutes.",
  foreign: "This sign-in was begun in another tab or browser. It has changed nothing here.",
  beginAgain: "Begin again",
  otherWays: "Other ways to sign in",
  sessionEnded: "Your session has ended. Sign in, and do it again.",
  mailed: (name) => `A mail with a code is on its way to your address at ${name}. With the code you sign in, and ${name} is linked.`,
  wrongCode: "The code is wrong, or was used or has expired. Check it, or begin again.",
  expired: (name) =>
    `Not done: more than ten minutes have passed, or your account at ${name} is suspended here. Begin again, or choose another way.`,
  unknown: (name) =>
    `Your account at ${name} is linked to none here. Do you have one? Sign in in another way, and link ${name} under “Security”.`,
  errors: {
    access_denied: (name) => `You refused at ${name}, or left its page. Begin again, or choose another way.`,
    account_exists: (name) =>
      `An account here has your address at ${name}. Sign in with its password or passkey, and link ${name} under “Security”.`,
    verified_email_required: (name) => `${name} has no confirmed address of yours. Confirm one there, and begin again.`,
    temporarily_unavailable: (name) => `${name} cannot be reached at the moment. Begin again in a minute, or choose another way.`,
    invalid_request: (name) => `The answer of ${name} was used before, or is not valid. Begin again.`,
    server_error: (name) =>
      `The answer of ${name} could not be used. Begin again. If that does not help, ask the administrator of this service.`,
    linked_to_other: (name) => `This account at ${name} is linked to another account here. Unlink it there first.`,
    too_many: () => "Your account has 20 linked accounts. Unlink one first.",
  },
};

export const identities = {
  title: "Linked accounts",
  hint: "Accounts at other providers that sign you in here.",
  noEmail: "No address",
  since: "Linked on",
  suspended: "Suspended",
  link: (name) => `Link ${name}`,
  unlink: "Unlink",
  unlinkTitle: (name) => `Unlink ${name}?`,
  unlinkHint: (name, email) => `The account ${email} at ${name} signs you in no more, and all other sessions end. It stays at ${name}.`,
  unlinking: "Unlinking the account…",
  unlinked: "The account is unlinked. All other sessions have ended.",
  gone: "This account was unlinked already.",
  lastWay: "This is the last way to sign in. Set a password or add a passkey first.",
};
