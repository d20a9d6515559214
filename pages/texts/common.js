// The texts of the kit, which both pages share: sign-in, second factors, dialogs, refusals.

const WRONG_SIGN_IN = "The address or the password is wrong. After several attempts, wait a few minutes.";

export const commonTexts = {
  // Buttons
  again: "Try again",
  back: "Back",
  cancel: "Cancel",
  confirm: "Confirm",
  copied: "Copied",
  copy: "Copy",
  leave: "Sign out and leave this page",
  or: "or",
  more: "Show more",
  notCopied: "Not copied: select the text",
  save: "Save",
  show: "Show",
  showPassword: "Show the password",
  signIn: "Sign in",
  signOut: "Sign out",

  // Fields
  email: "E-mail address",
  password: "Password",
  newPassword: "New password",
  optional: "(optional)",
  digits: (count) => `${count} digits`,
  passwordRule: (count) => `At least ${count} characters. Several words in a row are easy to keep in mind.`,

  // Waits
  loading: "Loading…",
  checking: "Checking…",
  checkingPassword: "Checking the password…",
  checkingPasskey: "Waiting for your passkey…",
  checkingFactor: "Checking the second factor…",
  signingIn: "Signing in…",
  askingForMail: "Asking for the mail…",

  // Sign-in
  signInWithPasskey: "Sign in with a passkey",
  signInWithCode: "Sign in with a code by mail",
  signedOut: "You are signed out.",
  notSignedOut: "You are not signed out yet: try again.",
  signInRefusals: {
    AUTH_INVALID_CREDENTIALS: WRONG_SIGN_IN,
    AUTH_EMAIL_NOT_VERIFIED: "The address of this account is not confirmed yet. Confirm it first, with the link below.",
  },
  passkeyRefusals: {
    AUTH_INVALID_CREDENTIALS: "This passkey does not belong to an account here. It may have been removed. Sign in in another way.",
  },

  // Other providers
  continueWith: (name) => `Continue with ${name}`,
  goingTo: (name) => `Going to ${name}…`,
  providerDown: (name, time) => `${name} cannot be reached at the moment. Try again in ${time}, or choose another way.`,
  providerGone: "This provider is offered no more. Load the page again.",
  noStorage: "This browser keeps no data for this page, so the way back from the provider would fail. Allow it, or choose another way.",

  // Second factor
  secondFactor: "Second step",
  secondFactorHint: "The first step was right. Your account has a second factor: show it within 5 minutes.",
  methods: {
    password: "Use the password",
    totp: "Use the authenticator app",
    passkey: "Use a passkey",
    recovery_code: "Use a recovery code",
  },
  appCode: "Code of the authenticator app",
  appCodeHint: "6 digits. Each code works once: after a sign-in, wait for the next one.",
  recoveryCode: "Recovery code",
  recoveryCodeHint: "One of the ten codes that you kept. Each works once.",
  usePasskey: "Use a passkey",
  passkeyHint: "Your device asks for your fingerprint, your face or its PIN.",
  noMethod: "This browser has none of the methods that this needs. Sign in with another browser or device.",
  wrongFactor: (left) =>
    left > 0
      ? `That was not right, or the code was used before. ${left === 1 ? "One attempt is" : `${left} attempts are`} left.`
      : "That was not right.",
  factorOver: "This sign-in has ended: the 5 minutes are over, or too many answers were wrong. Sign in again.",
  backToStart: "Back to the sign-in",

  // Passkeys, by the name of the browser's exception
  passkeyErrors: {
    NotAllowedError: "No passkey was used: the request was cancelled, took too long, or this device has none for this site.",
    AbortError: "The request was cancelled.",
    SecurityError: "The browser does not allow passkeys at this address of the page.",
  },
  passkeyErrorsAtCreation: {
    NotAllowedError: "No passkey was made: the request was cancelled, took too long, or the device cannot verify you.",
    InvalidStateError: "This device has a passkey of your account already.",
    AbortError: "The request was cancelled.",
    SecurityError: "The browser does not allow passkeys at this address of the page.",
  },
  passkeyFailed: (name) => `The browser could not do this (${name}).`,

  // Mailed codes
  mailCode: "Code of the mail",
  mailCodeHint: "8 digits, valid for 10 minutes.",
  sendMail: "Send the mail",
  anotherMail: "Ask for another mail",
  mailAsked: "If the address has an account, a mail is on its way. No mail? Look into the spam folder, and check the address.",
  tooSoon: (time) => `An address gets one mail a minute. The one before is on its way; ask again in ${time}.`,
  wrongCode: "The code is wrong, or was used or has expired. Check it, or ask for another mail.",

  // Dialogs
  stepUpTitle: "Confirm that it is you",
  stepUpHint: "This needs a sign-in of the last ten minutes. After that it goes on by itself.",
  codeTo: (email) => `A mail with a code goes to ${email}.`,
  codeAsked: "A mail is on its way. Type its code here.",
  confirmWith: (name) => `Confirm with ${name}`,
  confirmWithHint: "You leave this page, and come back after that. Then do it again: typed texts are lost.",
  confirmBySignIn:
    "Your account has nothing to confirm it with here. Sign out, sign in again, and do it within ten minutes. A passkey or a password spares you this.",
  signInAgainTitle: "Sign in again",
  signInAgainHint: "Your session has ended. Sign in, and the page goes on where it was: typed texts are kept.",
  leaving: "Another provider leads away from this page. Typed texts are lost then.",

  // Refusals
  faulty: "Not accepted yet: see the marked field.",
  fault: (name, fault) => `${name}: ${fault}.`,
  notConfirmed: "Not done: it needs your confirmation.",
  sessionEnded: "Your session has ended. Sign in again.",
  wrongEvidence: "That was not right. After several attempts, wait a few minutes.",
  inactive: "This account is disabled. Ask the administrator of this service.",
  unverified: "Confirm your address first.",
  forbidden: "Your account may not do this.",
  wrongAddress:
    "The sign-in is kept in cookies, which need a page by https, or at localhost. Open this page at the service's own address.",
  needsSecondFactor: "This role counts only in sessions with a second factor. Sign out, and sign in with yours.",
  toSecondFactors: "Second factors of your account",
  tooMany: (time) => `Too many requests at the moment. Try again in ${time}.`,
  busy: (time) => `The service is busy. Try again in ${time}.`,
  unreachable: "No answer from the service. Check the connection, and try again.",
  gone: "This does not exist any more. Load the page again.",
  failed: (status) => `The service could not do this (${status}). Try again later.`,
  requestId: (id) => `Request id for support: ${id}`,
  aMinute: "a minute",

  // Users and devices
  device: (browser, system) => `${browser} on ${system}`,
  unknownDevice: "Unknown device",
  roles: {
    STUDENT: "Student",
    TA: "Teaching assistant",
    INSTRUCTOR: "Instructor",
    DEPARTMENT_ADMIN: "Administrator of a department",
    UNIVERSITY_ADMIN: "Administrator of the university",
    PLATFORM_ADMIN: "Administrator of the platform",
  },
};
