// The progress on the terminal: a bar that is drawn anew, or without a terminal a line every ten seconds.
const WIDTH = 30;
const DRAWN_EVERY = 200;
const SAID_EVERY = 10_000;

export class Bar {
  #stream;
  #begun = Date.now();
  #shown = 0;
  #first;

  constructor(stream = process.stderr) {
    this.#stream = stream;
    this.#shown = stream.isTTY ? 0 : Date.now();
  }

  /** Shows `done` of `total` units of the source, and the number of users behind them. */
  show({ done, total, users }) {
    this.#first ??= { done, users, at: this.#begun };
    const now = Date.now();
    if (now - this.#shown < (this.#stream.isTTY ? DRAWN_EVERY : SAID_EVERY)) {
      return;
    }
    this.#shown = now;
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[K${this.#text(done, total, users)}` : `${this.#text(done, total, users)}\n`);
  }

  /** Removes the bar, so that other lines follow. */
  clear() {
    if (this.#stream.isTTY) {
      this.#stream.write("\r\x1b[K");
    }
  }

  #text(done, total, users) {
    const share = total > 0 ? Math.min(done / total, 1) : 1;
    const seconds = Math.max((Date.now() - this.#first.at) / 1000, 0.001);
    const rate = (users - this.#first.users) / seconds;
    const left = done > this.#first.done ? ((total - done) * seconds) / (done - this.#first.done) : undefined;
    const filled = Math.round(share * WIDTH);
    const bar = this.#stream.isTTY ? `[${"#".repeat(filled)}${"-".repeat(WIDTH - filled)}] ` : "";
    const rest = left === undefined ? "" : `, ${duration(left)} left`;
    return `${bar}${Math.floor(share * 100)} %, ${users.toLocaleString("en")} users, ${Math.round(rate)}/s${rest}`;
  }
}

function duration(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) {
    return `${Math.round(seconds)} s`;
  }
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
