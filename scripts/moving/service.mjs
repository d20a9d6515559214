// The service that an import talks to: the one at a given address, the one that runs here already, or one that is started for
// the import on the same data, and ended afterwards.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { named } from "../database.mjs";
import { ImportFailure } from "./failure.mjs";
import { LINES } from "./post.mjs";
import { parsed } from "./shape.mjs";

/** The first start compiles the Worker. */
const START_TIMEOUT = 20 * 60_000;
const MAX_ENVELOPE = 64 * 1024;
const THIS_MACHINE = ["localhost", "127.0.0.1", "[::1]"];

/** The address of a service that a key may be sent to: https, or this machine. */
export function checkedUrl(text) {
  const url = URL.parse(text);
  const isSafe = url && (url.protocol === "https:" || (url.protocol === "http:" && THIS_MACHINE.includes(url.hostname)));
  if (!isSafe || url.username || url.search || url.hash) {
    throw new ImportFailure(`URL= must be an https address, as https://auth.example.com, or one of this machine: ${text} is none.`);
  }
  return url.href.replace(/\/+$/, "");
}

/** The address of a deployment, as wrangler.toml has it. */
export async function deployedUrl(environment) {
  // Loading wrangler takes a second, which other imports are spared.
  const { experimental_readRawConfig: readConfig } = await import("wrangler");
  const { rawConfig } = readConfig({ config: "wrangler.toml" });
  const { vars = {} } = environment === "top-level" ? rawConfig : (rawConfig.env?.[environment] ?? {});
  if (!vars.PUBLIC_URL) {
    throw new ImportFailure(`The address of the service is not known: ${environment} has no PUBLIC_URL in wrangler.toml. Set URL=.`);
  }
  return checkedUrl(vars.PUBLIC_URL);
}

/** Does the service at this address accept the key? It is asked to import nothing. Another program may use the port. */
export async function accepts(url, key) {
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": LINES };
  const options = { method: "POST", headers, body: "\n", redirect: "manual", signal: AbortSignal.timeout(10_000) };
  const response = await fetch(`${url}/admin/users/import?dry_run=true`, options).catch(() => undefined);
  if (response?.status === 429 || response?.status === 503) {
    return hasEnvelope(response);
  }
  await response?.body?.cancel();
  return response?.status === 200 && response.headers.get("Content-Type") === LINES;
}

/** Is it an error of the service? */
async function hasEnvelope(response) {
  const { error, request_id: requestId } = parsed(await shortText(response)) ?? {};
  return typeof error?.code === "string" && typeof requestId === "string";
}

/** The text of a body; nothing of one that is too long for an error. */
async function shortText({ body }) {
  const pieces = [];
  let size = 0;
  try {
    for await (const piece of body ?? []) {
      size += piece.length;
      if (size > MAX_ENVELOPE) {
        return "";
      }
      pieces.push(piece);
    }
  } catch {
    return "";
  }
  return Buffer.concat(pieces).toString();
}

/**
 * Starts the service by `make dev` on a free port, beside any other. Returns its address and `stop()`.
 * @param {{state: string, args?: string, signal?: AbortSignal, grace?: number}} options `args` as `ARGS=` of `make dev`; `grace` is the
 *   time that it has to end, in milliseconds
 */
export async function startService({ state, args = "", signal, grace = 10_000 }) {
  const port = await freePort();
  // The variables of the make above would choose other settings.
  const { MAKEFLAGS, MFLAGS, MAKELEVEL, MAKEOVERRIDES, ...env } = process.env;
  const command = ["--no-print-directory", "dev", `PORT=${port}`, `STATE=${state}`, `ARGS=${args}`];
  // A group of its own: Ctrl-C ends the import first, and the import ends the service.
  const child = spawn("make", command, { detached: true, stdio: ["ignore", "pipe", "pipe"], env });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (piece) => output.push(piece) > 200 && output.shift());
  }
  const stop = () => stopGroup(child, grace);
  const kill = () => killGroup(child, "SIGKILL");
  process.once("exit", kill);
  try {
    await isReady(child, `http://127.0.0.1:${port}`, signal);
    return { url: `http://127.0.0.1:${port}`, stop };
  } catch (error) {
    await stop();
    if (error instanceof ImportFailure) {
      throw new ImportFailure(`${error.message} on ${named({ state })}:\n${Buffer.concat(output).toString().trim()}`);
    }
    throw error;
  }
}

/** Waits for the wrangler of this port, not for one that happens to answer: only ours has the child. */
async function isReady(child, url, signal) {
  for (const end = Date.now() + START_TIMEOUT; Date.now() < end; ) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new ImportFailure("The service did not start");
    }
    const response = await fetch(`${url}/`, { redirect: "manual", signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    await response?.body?.cancel();
    if (response) {
      return;
    }
    await sleep(250, undefined, { signal });
  }
  throw new ImportFailure("The service did not start in time");
}

async function stopGroup(child, grace) {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const ended = once(child, "exit");
  killGroup(child, "SIGINT");
  await Promise.race([ended, sleep(grace, undefined, { ref: false })]);
  killGroup(child, "SIGKILL");
}

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group has ended.
  }
}

function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().on("error", fail).listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}
