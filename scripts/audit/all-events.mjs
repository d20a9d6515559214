// All audit events since a moment, oldest first: those of the archive, verified, and then those of D1. The service may move events
// from one to the other while they are read; each is here once.
import { Window } from "./window.mjs";

export class AllEvents {
  #walk;
  #stored;
  #personal;
  #since;
  #tally;
  #window = new Window();
  /** The ids of events that an unfinished move has left in D1. */
  #moving = new Set();

  /**
   * @param {object} options
   * @param {Walk} options.walk
   * @param {Stored} options.stored
   * @param {PersonalFields} options.personal
   * @param {number} options.since milliseconds since the Unix epoch
   * @param {Tally} options.tally counts the objects
   */
  constructor({ walk, stored, personal, since, tally }) {
    this.#walk = walk;
    this.#stored = stored;
    this.#personal = personal;
    this.#since = since;
    this.#tally = tally;
  }

  /** Yields lists of events. After a failure, `rest()` has the others that were read. */
  async *lists() {
    for await (const events of this.#archived()) {
      yield this.#window.add(events);
    }
    for (let after = 0, isLast = false; !isLast; ) {
      const { rows, head, ...page } = this.#stored.events(after, this.#since);
      if (head > this.#walk.last) {
        // Moved before this page was read. Those up to the last id were in the pages before it.
        for await (const events of this.#archived()) {
          yield this.#window.add(events.filter(({ id }) => id > after));
        }
        continue;
      }
      yield this.#window.add(rows.filter(({ id }) => !this.#moving.has(id)).map((row) => this.#ofDatabase(row)));
      after = rows.at(-1)?.id;
      isLast = page.isLast;
    }
    yield this.rest();
  }

  /** The events that were read and not given out yet. */
  rest() {
    return this.#window.rest();
  }

  async *#archived() {
    for await (const object of this.#walk.objects()) {
      this.#tally.add(object);
      if (!object.isRegistered) {
        object.events.forEach(({ id }) => this.#moving.add(id));
      }
      yield object.events.filter((event) => event.created_at >= this.#since).map((event) => this.#ofObject(event, object.number));
    }
  }

  #ofObject({ personal, ...event }, number) {
    return { ...event, ...this.#personal.of({ ...event, personal }), object: number };
  }

  /** The erasure of an account leaves an empty request id. */
  #ofDatabase(row) {
    return { ...row, request_id: row.request_id || null, object: null };
  }
}
