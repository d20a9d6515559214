// The lines of a chunk that are not finished, in parts of one request each. If a part fails again and again though the service
// answers, it is sent in halves: the other lines are written, and the line that makes them fail is left alone, and given up.

/** A part that fails is repeated so often before it is halved. */
const REPEATS = 2;
const WRITTEN = ["created", "updated"];

const isOpen = ({ answer }) => answer === undefined || answer.outcome === "failed";

export class Parts {
  #lines;
  /**
   * The next part is the first. `failures` counts those in a row, `before` the lines that were written before the first of them,
   * and `isAlone` a line that has failed without others.
   */
  #queue;

  /** @param {{text: string, answer?: {outcome: string}}[]} lines whose answers the caller sets */
  constructor(lines) {
    this.#lines = lines;
    this.#queue = [{ lines, failures: 0, before: 0, isAlone: false }];
  }

  /** The number of lines that are neither finished nor given up. */
  get open() {
    return this.#queue.reduce((sum, { lines }) => sum + lines.length, 0);
  }

  /** Takes the next part, of at most `most` lines. */
  take(most) {
    while (this.#queue[0].lines.length > most) {
      this.#queue.unshift(...halves(this.#queue.shift()));
    }
    return this.#queue.shift();
  }

  /** Lines of the part that were not finished come again. Returns whether they are fewer. */
  putBack(part) {
    const lines = part.lines.filter(isOpen);
    if (lines.length > 0) {
      this.#queue.unshift({ ...part, lines });
    }
    return lines.length < part.lines.length;
  }

  /** Every line of the part was answered, and failed. Returns whether it comes again in halves. */
  fail(part) {
    const failed = { ...part, failures: part.failures + 1, before: part.failures === 0 ? this.#written() : part.before };
    if (failed.failures <= REPEATS) {
      this.#queue.unshift(failed);
      return false;
    }
    if (part.lines.length > 1) {
      this.#queue.unshift(...halves(failed));
      return true;
    }
    // The others come first. That the service wrote some of them tells that the failure is one of this line.
    if (!part.isAlone || this.#written() === failed.before) {
      this.#queue.push({ ...failed, failures: 1, isAlone: true });
    }
    return false;
  }

  /** Gives up a line that failed alone and is the last one. Returns false if there are others. */
  giveUpLast() {
    const isLast = this.#queue.length === 1 && this.#queue[0].isAlone;
    this.#queue = isLast ? [] : this.#queue;
    return isLast;
  }

  #written() {
    return this.#lines.filter(({ answer }) => WRITTEN.includes(answer?.outcome)).length;
  }
}

function halves({ lines, ...part }) {
  const middle = Math.ceil(lines.length / 2);
  return [lines.slice(0, middle), lines.slice(middle)].map((half) => ({ ...part, lines: half }));
}
