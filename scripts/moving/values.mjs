// Values of other systems as the API takes them: texts, truth values, moments, names.
import { Refusal } from "./failure.mjs";

/** No value. CSV has no other sign for it than an empty field, or a word for it. */
export const isBlank = (value) => value === undefined || value === null || value === "";
const isNull = (value) => isBlank(value) || ["null", "NULL", "\\N"].includes(value);

/** A text, or `undefined` for no value. Throws a `TypeError` for an object or a list. */
export function text(value) {
  if (typeof value === "object" && value !== null) {
    throw new TypeError("no text");
  }
  return isBlank(value) ? undefined : String(value);
}

/** A hash, or `undefined`. A value that is no text stays, so that the service refuses it. */
export const hash = (value) => (isNull(value) ? undefined : value);

const TRUTHS = new Map([
  [["true", "t", "1", "yes", "y", "on"], true],
  [["false", "f", "0", "no", "n", "off"], false],
].flatMap(([words, truth]) => words.map((word) => [word, truth])));

/** A truth value, as databases and CSV write it; `undefined` for none. */
export function truth(value, code) {
  if (isNull(value)) {
    return undefined;
  }
  const read = TRUTHS.get(String(value).trim().toLowerCase());
  if (read === undefined) {
    throw new Refusal(code);
  }
  return read;
}

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?$/i;
/** Numbers below it count seconds, others milliseconds. */
const FIRST_MILLISECONDS = 1e11;

/**
 * A moment, as RFC 3339 in UTC; `undefined` for none. Databases write it as a text, with a space, and often without a zone, which
 * is UTC then; others count seconds or milliseconds.
 */
export function moment(value) {
  if (isNull(value)) {
    return undefined;
  }
  const date = /^\d+(\.\d+)?$/.test(String(value)) ? counted(Number(value)) : written(String(value).trim());
  if (date === undefined || Number.isNaN(date.getTime())) {
    throw new Refusal("created_at_invalid");
  }
  return date.toISOString();
}

const counted = (number) => new Date(number < FIRST_MILLISECONDS ? number * 1000 : number);

function written(value) {
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "0", zone = "Z"] = MOMENT.exec(value) ?? [];
  const calendar = new Date(Date.UTC(year, month - 1, day));
  if (calendar.getUTCDate() !== Number(day)) {
    return undefined;
  }
  const [sign, ...digits] = /^(Z|UTC)$/i.test(zone) ? ["+", "0", "0", "0", "0"] : zone.replaceAll(":", "");
  const offset = `${sign}${digits.join("").slice(0, 4).padEnd(4, "0").replace(/(..)$/, ":$1")}`;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3)}${offset}`);
}

/** One name of its parts; `undefined` if there are none. */
export const fullName = (...parts) => text(parts.map(text).filter((part) => part !== undefined).join(" ").trim());

/** JSON within a column, or the value itself if it is an object already; `undefined` if it is neither. */
export function nested(value) {
  if (typeof value !== "string") {
    return value ?? undefined;
  }
  try {
    return JSON.parse(value) ?? undefined;
  } catch {
    return undefined;
  }
}
