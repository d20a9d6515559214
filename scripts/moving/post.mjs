// One request to `POST /admin/users/import`: its answers as far as they arrived, or the reason why there are none.
import { ImportFailure } from "./failure.mjs";

/** The media type of the request and of its answer. */
export const LINES = "application/x-ndjson";
/** The service works on a request for 60 seconds at most. */
const TIMEOUT = 90_000;
const MAX_RETRY_AFTER = 120;
const MAX_ANSWER = 4 * 1024 * 1024;
const OUTCOMES = ["created", "exists", "updated", "refused", "failed"];

/**
 * Returns `{answers}`, with `reason` and holes if some lines got none; or else `{reason, pause?, isTooSlow?}`, the latter if the
 * service got the lines too slowly. Throws an `ImportFailure` for an answer that another try cannot change.
 * @param {{url: string, headers: Record<string, string>, signal?: AbortSignal}} target
 * @param {string[]} texts
 */
export async function post({ url, headers, signal }, texts) {
  const body = `${texts.join("\n")}\n`;
  const timeout = AbortSignal.timeout(TIMEOUT);
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  try {
    const response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal: either });
    if (response.status === 200) {
      const answers = await readAnswers(response, texts.length);
      return { answers, reason: answers.includes(undefined) ? "its answer was cut off" : undefined };
    }
    return { ...pauseOf(response), isTooSlow: response.status === 408, reason: await reasonOf(response) };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ImportFailure) {
      throw error;
    }
    return { reason: `no answer (${error.cause?.code ?? error.name})` };
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
