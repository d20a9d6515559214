// Brings events into the order of their time. Ids order events by the hour, since counted refusals have the first ids of theirs
// (src/domain/event_keys.rs): so a window of an hour is enough, whatever the number of events.

const HOUR_MS = 60 * 60 * 1000;

export class Window {
  #events = [];
  #newest = -Infinity;

  /** Adds events, and returns those that no later event precedes, in order. */
  add(events) {
    this.#newest = events.reduce((newest, { created_at }) => Math.max(newest, created_at), this.#newest);
    const hour = this.#newest - (this.#newest % HOUR_MS);
    const ordered = [...this.#events, ...events].sort((one, other) => one.created_at - other.created_at || one.id - other.id);
    const index = ordered.findIndex(({ created_at }) => created_at >= hour);
    this.#events = index < 0 ? [] : ordered.slice(index);
    return index < 0 ? ordered : ordered.slice(0, index);
  }

  /** The events that are left, in order. */
  rest() {
    return this.#events.splice(0);
  }
}
