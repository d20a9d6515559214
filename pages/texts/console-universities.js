// The texts of /console about universities, with their departments, roles and invitations.

const FINAL = "It cannot be undone.";

export const places = {
  university: (id) => `University ${id}`,
  department: (id) => `Department ${id}`,
};

export const universities = {
  title: "Universities",
  name: "Name",
  slug: "Short name",
  slugHint: "For URLs: lower-case letters, digits and hyphens.",
  slugTaken: "Another university has this short name.",
  created: "Created",
  none: "No university yet.",
  add: "Add a university",
  added: (name) => `${name} is added.`,
};

export const university = {
  title: "University",
  back: "All universities",
  facts: "University",
  id: "University id",
  departments: "Departments",
  noRights: "You have no administrator's role in this university.",
  changeTitle: "Change the university",
  changed: "The university is changed.",
  delete: "Delete the university",
  deleteTitle: "Delete the university",
  deleteHint: "Its departments and courses must be deleted before.",
  deleteTexts: (name) => [`${name} is deleted with its roles. ${FINAL}`],
  deleteTyped: (slug) => `Type the short name to confirm: ${slug}`,
  deleted: (name) => `${name} is deleted.`,
  inUse: "Not deleted: the university still has departments, courses, or more than 1000 roles.",

  roles: "Roles",
  noRoles: "No roles yet.",
  person: "E-mail address",
  personName: "Name",
  userId: "User id",
  role: "Role",
  removeRole: "Remove the role",
  removeRoleTitle: "Remove this role?",
  removeRoleText: (email, role) => `${email} loses the role: ${role}.`,
  roleRemoved: (email) => `The role of ${email} is removed.`,
  lastAdministrator: "Not removed: it is the last administrator. Give another person the role first.",

  grantTitle: "Grant a role",
  who: "E-mail address or user id",
  whoHint: "An address that is not confirmed, or is new to this university, is invited.",
  department: "Department",
  wholeUniversity: "The whole university",
  grant: "Grant the role",
  granting: "Granting the role…",
  granted: (email, role) => `${email} has the role now: ${role}.`,
  invited: (email) => `${email} is invited: a mail is on its way, and its link is valid for 7 days.`,
  invitedByHand: (email) => `${email} is invited. The link is valid for 7 days.`,
  link: "Link of the invitation",
  linkHint: "It is shown only now. Hand it over to the owner of the address.",
  platformAdmin: {
    title: "Make an administrator of the platform?",
    texts: (person) => [`${person} gets every right: on all users, universities and service accounts, yours included.`],
    action: "Grant the role",
  },
  notGranted: "The role is not granted.",
  hasRole: "This person has the role already.",
  tooManyRoles: "Not granted: the person has too many roles.",
  tooManyInvitations: "Not granted: this university has 200 pending invitations. Withdraw some first.",

  invitations: "Invitations",
};

export const departments = {
  title: "Departments",
  name: "Name",
  id: "Department id",
  none: "No departments yet.",
  newName: "Name of the new department",
  add: "Add the department",
  added: (name) => `${name} is added.`,
  exists: "The university has a department of this name.",
  deleteTitle: "Delete this department?",
  deleteText: (name) => `${name} is deleted. ${FINAL}`,
  deleted: (name) => `${name} is deleted.`,
  inUse: "Not deleted: the department still has courses or roles.",
};

export const invitations = {
  title: "Invitations",
  email: "Invited address",
  role: "Role",
  by: "Invited by",
  user: (id) => `User ${id}`,
  expires: "Valid until",
  none: "No pending invitation.",
  withdraw: "Withdraw",
  withdrawTitle: "Withdraw this invitation?",
  withdrawText: (email) => `The link that ${email} got is void at once.`,
  withdrawing: "Withdrawing the invitation…",
  withdrawn: (email) => `The invitation of ${email} is withdrawn.`,
  gone: "This invitation does not exist any more: it was accepted or withdrawn, or has expired.",
};
