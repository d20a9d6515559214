// Sign-ins and refusals per hour of the last day, from the list of security events. Owns the walk along that list and the
// sums. Hours are whole hours of UTC, because the service counts refusals by them.

const HOUR_MS = 3_600_000;
export const HOURS = 24;
const PAGE = 100;
const MOST_PAGES = 10;

const hourOf = (time) => Math.floor(Date.parse(time) / HOUR_MS);
const isRefusal = ({ type }) => type.endsWith("_refused");

/**
 * Reads the events of the last day: `{events, isComplete}`, or `{failed}`, the answer that was no list.
 * Events are listed newest first, and refusals behind the others of their hour: the hours never grow along the list.
 */
export async function readEvents(request, now) {
  const first = Math.floor(now / HOUR_MS) - HOURS + 1;
  const events = [];
  let cursor;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const answer = await request("GET", "admin/audit-events", { query: { limit: PAGE, cursor } });
    if (answer.status !== 200) {
      return { failed: answer };
    }
    const { items, next_cursor: next } = answer.body;
    const recent = items.filter(({ created_at }) => hourOf(created_at) >= first);
    events.push(...recent);
    if (next === null || recent.length < items.length) {
      return { events, isComplete: true };
    }
    cursor = next;
  }
  return { events, isComplete: false };
}

/** The sums of each hour, oldest first: `[{start, signIns, refusals}]`. */
export function perHour(events, now) {
  const first = Math.floor(now / HOUR_MS) - HOURS + 1;
  const hours = Array.from({ length: HOURS }, (_, index) => {
    return { start: new Date((first + index) * HOUR_MS), signIns: 0, refusals: 0 };
  });
  for (const event of events) {
    const hour = hours[hourOf(event.created_at) - first];
    if (hour && event.type === "signed_in") {
      hour.signIns += event.count;
    } else if (hour && isRefusal(event)) {
      hour.refusals += event.count;
    }
  }
  return hours;
}

/** The hour up to which an incomplete walk came: the sums of this hour and of those before are too low. */
export const lowestHour = (events) => new Date(Math.min(...events.map(({ created_at }) => hourOf(created_at))) * HOUR_MS);
