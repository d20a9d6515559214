// The words for refusals and failures that no form explains by itself.
//
//   failureTexts(answer)   // a list of texts
//   isExplained(answer)    // true if the request id would not help: the text says all that a person can do
//   refusesCookies(answer) // true if the address of the page is the reason, not the account
import { commonTexts as texts } from "../texts.js";

/** Longer waits are told in minutes, and from this many minutes on in hours. */
const LONGEST_COUNT = 90;

const BY_CODE = {
  AUTH_STEP_UP_REQUIRED: () => texts.notConfirmed,
  AUTH_TOKEN_EXPIRED: () => texts.sessionEnded,
  AUTH_TOKEN_INVALID: () => texts.sessionEnded,
  AUTH_TOKEN_REVOKED: () => texts.sessionEnded,
  AUTH_INVALID_CREDENTIALS: () => texts.wrongEvidence,
  AUTH_INACTIVE_USER: () => texts.inactive,
  AUTH_EMAIL_NOT_VERIFIED: () => texts.unverified,
  RATE_LIMITED: ({ seconds }) => texts.tooMany(duration(seconds)),
  SERVICE_UNAVAILABLE: ({ seconds }) => texts.busy(duration(seconds)),
};

const BY_STATUS = {
  0: () => texts.unreachable,
  404: () => texts.gone,
  429: ({ seconds }) => texts.tooMany(duration(seconds)),
  503: ({ seconds }) => texts.busy(duration(seconds)),
};

/** Refusals whose texts say all that a person can do. */
const EXPLAINED = ["AUTH_STEP_UP_REQUIRED", "AUTH_INVALID_CREDENTIALS", "AUTH_EMAIL_NOT_VERIFIED", "AUTH_TOKEN_EXPIRED"];

export const isExplained = ({ status, code }) => status <= 0 || EXPLAINED.includes(code);

/** In place of an answer of the service: a failure in the browser, for example of a passkey. */
export const ownFailure = (error) => ({ status: -1, body: {}, details: {}, error });

/** The texts for an answer that is no success. */
export function failureTexts(answer) {
  if (answer.error !== undefined) {
    return [answer.error];
  }
  if (answer.code === "FORBIDDEN") {
    return [forbiddenText(answer)];
  }
  if (answer.status === 422) {
    return (answer.details.errors ?? []).map(({ loc, msg }) => texts.fault(loc.at(-1), msg));
  }
  const text = BY_CODE[answer.code] ?? BY_STATUS[answer.status] ?? (({ status }) => texts.failed(status));
  return [text(answer)];
}

function forbiddenText(answer) {
  if (refusesCookies(answer)) {
    return texts.wrongAddress;
  }
  return answer.details.required === "mfa" ? texts.needsSecondFactor : texts.forbidden;
}

/** Does the service take no cookies from pages of this address? The code alone has other reasons, too. */
export const refusesCookies = ({ code, body }) => code === "FORBIDDEN" && /share a site/.test(body.error.message);

/** "30 seconds", in the language of the page. */
export function duration(seconds) {
  if (!(seconds > 0)) {
    return texts.aMinute;
  }
  const counts = { second: seconds, minute: seconds / 60, hour: seconds / 3600 };
  const [unit, count] = Object.entries(counts).find(([name, count]) => count <= LONGEST_COUNT || name === "hour");
  const format = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" });
  return format.format(Math.ceil(count));
}
