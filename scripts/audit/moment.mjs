// The moment of SINCE=: a date, which begins at midnight in UTC, or a time with its zone.
import { AuditFailure } from "./fault.mjs";

const ZONED = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;
const DATE = /^\d{4}-\d\d-\d\d$/;

/** Milliseconds since the Unix epoch; without a text, before all events. */
export function momentOf(text) {
  if (text === "") {
    return 0;
  }
  const milliseconds = DATE.test(text) || ZONED.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(milliseconds) || !isOfCalendar(text)) {
    throw new AuditFailure("SINCE= is a date or a time with its zone: SINCE=2026-01-01 or SINCE=2026-01-01T08:00:00Z.");
  }
  return milliseconds;
}

/** `Date` takes the 30th of February for the 2nd of March. */
function isOfCalendar(text) {
  return new Date(`${text.slice(0, 10)}T00:00:00Z`).getUTCDate() === Number(text.slice(8, 10));
}
