// The client of `POST /admin/users/import`: one request after another. It honours `Retry-After`, repeats requests that got no
// answer and lines that were not written, and gives up when nothing has moved on for some minutes. The import is idempotent, so
// a line may be sent twice.
import { setTimeout as sleep } from "node:timers/promises";

import { ImportFailure } from "./failure.mjs";
import { Parts } from "./parts.mjs";
import { LINES, post } from "./post.mjs";

const PATIENCE = 5 * 60_000;
const FIRST_DELAY = 1000;
const MAX_DELAY = 30_000;

export class Client {
  #target;
  #patience;
  #wait;
  /** Lines of a request, at most: fewer on a slow connection, for the rest of the import. */
  #most = Infinity;
  /** The last moment at which a line was finished. */
  #moved = 0;
  /** The next pause, if the service names none. */
  #delay = FIRST_DELAY;

  /**
   * @param {{url: string, key: string, isDryRun?: boolean, signal?: AbortSignal, patience?: number, wait?: Function}} options
   */
  constructor({ url, key, isDryRun = false, signal, patience = PATIENCE, wait = sleep }) {
    const headers = { Authorization: `Bearer ${key}`, "Content-Type": LINES };
    this.#target = { url: `${url.replace(/\/+$/, "")}/admin/users/import${isDryRun ? "?dry_run=true" : ""}`, headers, signal };
    this.#patience = patience;
    this.#wait = wait;
  }

  /** Sends lines. Returns the outcome of each: `{outcome, code?, costlier?}`. It is `failed` for a line that was given up. */
  async send(texts) {
    const lines = texts.map((text) => ({ text, answer: undefined }));
    const parts = new Parts(lines);
    this.#moved = Date.now();
    this.#delay = FIRST_DELAY;
    while (parts.open > 0) {
      const { pause, reason } = await this.#sendPart(parts);
      if (parts.open > 0) {
        await this.#pause(pause, parts, reason);
      }
    }
    return lines.map(({ answer }) => answer);
  }

  /** Sends the next part once. */
  async #sendPart(parts) {
    const { open } = parts;
    const part = parts.take(this.#most);
    const { answers = [], isTooSlow, ...result } = await post(this.#target, part.lines.map(({ text }) => text));
    answers.forEach((answer, at) => (part.lines[at].answer = answer));
    const isFailure = result.reason === undefined && part.lines.every(({ answer }) => answer.outcome === "failed");
    let isSmaller = isFailure ? parts.fail(part) : parts.putBack(part);
    if (isTooSlow && part.lines.length > 1) {
      this.#most = Math.ceil(part.lines.length / 2);
      isSmaller = true;
    }
    if (parts.open < open) {
      this.#moved = Date.now();
    }
    if (parts.open < open || isSmaller) {
      this.#delay = FIRST_DELAY;
    }
    return result;
  }

  async #pause(named, parts, reason) {
    const milliseconds = named ?? this.#delay;
    if (Date.now() + milliseconds - this.#moved <= this.#patience) {
      this.#delay = Math.min(2 * this.#delay, MAX_DELAY);
      await this.#wait(milliseconds, undefined, { signal: this.#target.signal });
    } else if (reason !== undefined || !parts.giveUpLast()) {
      throw new ImportFailure(`The service does not take the lines: ${reason ?? `${parts.open} of them were not written`}.`);
    }
  }
}
