// The client of `POST /admin/users/import`: one request after another. It honours `Retry-After`, repeats requests that got no
// answer and lines that were not written, and gives up when nothing has moved on for some minutes. The import is idempotent, so
// a line may be sent twice.
import { setTimeout as sleep } from "node:timers/promises";

import { ImportFailure } from "./failure.mjs";

/** The service works on a request for 60 seconds at most. */
const TIMEOUT = 90_000;
const PATIENCE = 5 * 60_000;
const FIRST_DELAY = 1000;
const MAX_DELAY = 30_000;
const MAX_RETRY_AFTER = 120;
const MAX_ANSWER = 4 * 1024 * 1024;
const OUTCOMES = ["created", "exists", "updated", "refused", "failed"];

export class Client {
  #url;
  #headers;
  #signal;
  #patience;
  #wait;
  /** The last moment at which a line was finished. */
  #moved = 0;

  /**
   * @param {{url: string, key: string, isDryRun?: boolean, signal?: AbortSignal, patience?: number, wait?: Function}} options
   */
  constructor({ url, key, isDryRun = false, signal, patience = PATIENCE, wait = sleep }) {
    this.#url = `${url.replace(/\/+$/, "")}/admin/users/import${isDryRun ? "?dry_run=true" : ""}`;
    this.#headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/x-ndjson" };
    this.#signal = signal;
    this.#patience = patience;
    this.#wait = wait;
  }

  /** Sends lines. Returns the outcome of each: `{outcome, code?, costlier?}`. */
  async send(texts) {
    const outcomes = new Array(texts.length);
    let open = texts.map((_, index) => index);
    this.#moved = Date.now();
    for (let delay = FIRST_DELAY; open.length > 0; ) {
      const { answers = [], pause, reason } = await this.#post(open.map((index) => texts[index]));
      answers.forEach((answer, at) => (outcomes[open[at]] = answer));
      const rest = open.filter((index) => !outcomes[index] || outcomes[index].outcome === "failed");
      if (rest.length < open.length) {
        [this.#moved, delay] = [Date.now(), FIRST_DELAY];
      }
      open = rest;
      if (open.length > 0) {
        await this.#pause(pause ?? delay, reason ?? `${open.length} lines were not written`);
        delay = Math.min(2 * delay, MAX_DELAY);
      }
    }
    return outcomes;
  }

  async #pause(milliseconds, reason) {
    if (Date.now() + milliseconds - this.#moved > this.#patience) {
      throw new ImportFailure(`The service does not take the lines: ${reason}.`);
    }
    await this.#wait(milliseconds, undefined, { signal: this.#signal });
  }

  /** Returns the answers, as far as they arrived, or the reason for another try and the pause before it. */
  async #post(texts) {
    const body = `${texts.join("\n")}\n`;
    const timeout = AbortSignal.timeout(TIMEOUT);
    const signal = this.#signal ? AbortSignal.any([this.#signal, timeout]) : timeout;
    try {
      const response = await fetch(this.#url, { method: "POST", headers: this.#headers, body, redirect: "manual", signal });
      if (response.status === 200) {
        const answers = await readAnswers(response, texts.length);
        return { answers, reason: answers.includes(undefined) ? "its answer was cut off" : undefined };
      }
      return { ...pauseOf(response), reason: await reasonOf(response) };
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (error instanceof ImportFailure) {
        throw error;
      }
      return { reason: `no answer (${error.cause?.code ?? error.name})` };
    }
  }
}

/** Throws for a status that another try cannot change. */
async function reasonOf(response) {
  const { status } = response;
  const code = await errorCode(response);
  const said = `${status}${code ? ` ${code}` : ""}`;
  if (status === 401 || status === 403) {
    throw new ImportFailure(`The service refuses the key (${said}): it was withdrawn, or the service has another database.`);
  }
  if (status !== 408 && status !== 429 && status < 500) {
    const hint = [404, 405].includes(status) ? ". Is URL= its address, with its base path, and is its version new enough?" : ".";
    throw new ImportFailure(`The service refuses the import: ${said}${hint}`);
  }
  return `it answers ${said}`;
}

async function errorCode(response) {
  try {
    return JSON.parse((await response.text()).slice(0, MAX_ANSWER)).error?.code;
  } catch {
    return undefined;
  }
}

function pauseOf(response) {
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? { pause: Math.min(seconds, MAX_RETRY_AFTER) * 1000 } : {};
}

/** The answers by the index of their line. A connection that breaks leaves those that arrived. */
async function readAnswers(response, count) {
  const answers = new Array(count);
  let text = "";
  let size = 0;
  try {
    const decoder = new TextDecoder();
    for await (const piece of response.body) {
      size += piece.length;
      text += decoder.decode(piece, { stream: true });
      const lines = text.split("\n");
      text = lines.pop();
      lines.filter((line) => line !== "").forEach((line) => keep(answers, line));
      if (size > MAX_ANSWER) {
        throw new ImportFailure("The service's answer has no end.");
      }
    }
  } catch (error) {
    if (error instanceof ImportFailure) {
      throw error;
    }
  }
  return answers;
}

function keep(answers, text) {
  const { line, outcome, code, costlier } = parsed(text);
  if (!Number.isInteger(line) || line < 1 || line > answers.length || !OUTCOMES.includes(outcome)) {
    throw new ImportFailure(`The service's answer is not that of an import: ${text.slice(0, 200)}`);
  }
  if (outcome === "failed" && code === "stopped") {
    throw new ImportFailure("The right to import was taken away: the service account was changed, or its key was withdrawn.");
  }
  answers[line - 1] = { outcome, code, costlier: costlier === true };
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
