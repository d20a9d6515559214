// The texts of /console about users: their list, one user, and security events.

const FINAL = "It cannot be undone.";

export const users = {
  title: "Users",
  searchTitle: "Search for users",
  email: "E-mail address",
  exact: "The whole address, exactly.",
  name: "Name",
  state: "State",
  verified: "Address confirmed",
  registered: "Registered",
  anyState: "Active and disabled",
  onlyActive: "Only active",
  onlyDisabled: "Only disabled",
  none: "No user matches.",
};

export const user = {
  title: "User",
  back: "All users",
  facts: "Account",
  id: "User id",
  email: "E-mail address",
  name: "Name",
  state: "State",
  verified: "Address confirmed",
  mailRefused: "Mail refused",
  registered: "Registered",
  factors: "Second factors",
  factorsOf: ({ totp, recovery_codes: codes, passkeys }) =>
    [
      totp && "authenticator app",
      passkeys > 0 && (passkeys === 1 ? "1 passkey" : `${passkeys} passkeys`),
      codes && "recovery codes",
    ]
      .filter(Boolean)
      .join(", ") || "none",
  events: "Security events of this user",
  acts: "Actions",
  renameTitle: "Change the name",
  renamed: "The name is saved.",
  roles: "Roles",
  noRoles: "No roles. They are granted at a university.",
  roleRemoved: "The role is removed.",
  removeRole: {
    title: "Remove this role?",
    texts: (email, role) => [`${email} loses the role: ${role}.`],
    action: "Remove the role",
  },
  sessions: "Sessions",
  noSessions: "No live session.",
  started: "Signed in",
  lastUsed: "Last used",
  network: "Address",
  program: "Program",
  link: "Link to a new password",
  linkHint: "Valid once, for 30 minutes. Hand it over by a way that the person trusts. It is not shown again.",

  disable: {
    label: "Disable the account",
    hint: "Ends all sessions. Sign-in is refused until the account is enabled.",
    title: "Disable this account?",
    texts: (email) => [`All sessions of ${email} end at once, and sign-in is refused until the account is enabled.`],
    action: "Disable",
    wait: "Disabling the account…",
    done: "The account is disabled.",
  },
  enable: {
    label: "Enable the account",
    hint: "The person can sign in again.",
    wait: "Enabling the account…",
    done: "The account is enabled.",
  },
  endSessions: {
    label: "End all sessions",
    hint: "Signs the person out on every device. Sign-in stays possible.",
    title: "End all sessions?",
    texts: (email) => [`${email} is signed out on every device.`],
    action: "End all sessions",
    wait: "Ending the sessions…",
    done: (count) => (count === 1 ? "1 session has ended." : `${count} sessions have ended.`),
  },
  unlock: {
    label: "Unlock",
    hint: "Ends the waits after wrong passwords.",
    wait: "Unlocking…",
    done: "No wait after wrong passwords is in force.",
  },
  vouch: {
    label: "Vouch for the address",
    hint: "States that the address belongs to the person, in place of a mail.",
    title: "Vouch for the address?",
    texts: (email) => [`Make sure that ${email} belongs to the person: roles granted to the address take effect at once.`, FINAL],
    action: "Vouch for it",
    wait: "Saving…",
    done: "The address counts as confirmed.",
  },
  handOver: {
    label: "Link to a new password",
    hint: "For a person that gets no mail. You hand the link over.",
    title: "Make a link to a new password?",
    texts: (email) => [`The holder of the link chooses the password of ${email}. Make sure of the person first.`],
    action: "Make the link",
    wait: "Making the link…",
    done: "The link is made. It works once, within 30 minutes.",
  },
  resetFactors: {
    label: "Reset the second factors",
    hint: "Removes authenticator app, passkeys and recovery codes, and ends all sessions.",
    title: "Reset the second factors?",
    texts: (email) => [
      `${email} loses the authenticator app, the passkeys and the recovery codes, and all sessions end.`,
      "Make sure of the person first: a thief of the password asks for this, too.",
    ],
    action: "Reset",
    wait: "Resetting the second factors…",
    done: "The account has no second factor any more.",
  },
  erase: {
    heading: "Erase the account",
    hint: "Removes the user with sessions, roles and factors. Security events keep the id only.",
    label: "Erase the account",
    title: "Erase this account?",
    texts: (email) => [`The account ${email} is erased with all its data. ${FINAL}`],
    action: "Erase for good",
    typed: "Type the address to confirm",
    wait: "Erasing the account…",
    done: (email) => `The account ${email} is erased.`,
  },
  refusals: {
    NOT_FOUND: "There is nothing to change: the account, or what should be removed, does not exist any more.",
    CONFLICT: ({ body }) => `Not done. The service says: ${body.error?.message ?? ""}.`,
  },
};

export const events = {
  title: "Events",
  filterTitle: "Filter the events",
  none: "No event matches.",
  anyType: "All types",
  type: "Type",
  reason: "Reason",
  count: "Number",
  times: (count) => `${count} times`,
  first: "Time",
  last: "Latest",
  user: "User",
  userId: "User id",
  actor: "Done by user",
  university: "University",
  object: "Object",
  session: "Session",
  network: "Address",
  program: "Program",
  requestId: "Request id",
  ray: "Ray",
  people: (user, actor) => {
    const of = user === null ? "" : `User ${user}`;
    const by = actor === null ? "" : `by user ${actor}`;
    return [of, by].filter(Boolean).join(", ") || "No user";
  },
};
