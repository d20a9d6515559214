// The acts of an administrator on an account: their words, the question before, the request. user-panel.js runs them.
//
// An act is `{ id, label, hint, wait, confirm?, isOffered?, send, done, kind? }`. Its functions get the user; `done` is a text,
// or a function of the answer.
import { request } from "../kit/api.js";
import { consoleTexts } from "../texts.js";

const texts = consoleTexts.user;

const change = ({ id }, body) => request("PATCH", `admin/users/${id}`, { body });
const post = ({ id }, name) => request("POST", `admin/users/${id}/${name}`);

const question = (words, { email }) => ({ title: words.title, texts: words.texts(email), action: words.action });

export const ACTS = [
  {
    ...texts.disable,
    id: "disable",
    isOffered: ({ is_active: isActive }) => isActive,
    confirm: (user) => question(texts.disable, user),
    send: (user) => change(user, { is_active: false }),
  },
  {
    ...texts.enable,
    id: "enable",
    isOffered: ({ is_active: isActive }) => !isActive,
    send: (user) => change(user, { is_active: true }),
  },
  {
    ...texts.endSessions,
    id: "end-sessions",
    confirm: (user) => question(texts.endSessions, user),
    send: (user) => post(user, "logout"),
    done: ({ body }) => texts.endSessions.done(body.sessions_ended),
  },
  { ...texts.unlock, id: "unlock", send: (user) => post(user, "unlock") },
  {
    ...texts.vouch,
    id: "vouch",
    isOffered: ({ email_verified: isVerified }) => !isVerified,
    confirm: (user) => question(texts.vouch, user),
    send: (user) => change(user, { email_verified: true }),
  },
  {
    ...texts.handOver,
    id: "hand-over",
    isOffered: ({ is_active: isActive }) => isActive,
    confirm: (user) => question(texts.handOver, user),
    send: (user) => post(user, "password-reset"),
  },
  {
    ...texts.resetFactors,
    id: "reset-factors",
    isOffered: ({ factors }) => factors === undefined || factors.totp || factors.recovery_codes || factors.passkeys > 0,
    confirm: (user) => question(texts.resetFactors, user),
    send: ({ id }) => request("DELETE", `admin/users/${id}/mfa`),
  },
];

export const ERASE = {
  ...texts.erase,
  id: "erase",
  kind: "danger",
  confirm: (user) => ({ ...question(texts.erase, user), typed: user.email, label: texts.erase.typed }),
  send: ({ id }) => request("DELETE", `admin/users/${id}`),
};
