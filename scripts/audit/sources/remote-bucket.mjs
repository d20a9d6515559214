// The objects in the bucket of a deployment, by wrangler, which signs in as for every other command. It has no command that lists
// objects, and starts anew for each, so some are fetched ahead.
import { spawn } from "node:child_process";

import { reason } from "../../database.mjs";
import { AuditFailure, nameOf } from "../fault.mjs";

const AHEAD = 6;
const ABSENT = "The specified key does not exist.";

export class RemoteBucket {
  #bucket;
  #environment;
  #coming = new Map();

  constructor(environment, bucket) {
    this.#environment = environment;
    this.#bucket = bucket;
  }

  /** The bytes of an object; `undefined` if there is none of this number. Objects up to `last` are fetched ahead. */
  async get(number, last = number) {
    for (let next = number; next <= Math.max(number, Math.min(last, number + AHEAD)); next += 1) {
      if (!this.#coming.has(next)) {
        this.#coming.set(next, settled(this.#fetch(next)));
      }
    }
    const { bytes, error } = await this.#coming.get(number);
    this.#coming.delete(number);
    if (error) {
      throw error;
    }
    return bytes;
  }

  /** Not known. */
  async numbers() {
    return [];
  }

  async close() {
    await Promise.all(this.#coming.values());
  }

  async #fetch(number) {
    const { name, jurisdiction } = this.#bucket;
    const environment = this.#environment === "top-level" ? "" : this.#environment;
    const where = ["--remote", `--env=${environment}`, ...(jurisdiction ? ["--jurisdiction", jurisdiction] : [])];
    const run = await wrangler(["r2", "object", "get", `${name}/${nameOf(number)}`, "--pipe", ...where]);
    if (run.status === 0) {
      return run.stdout;
    }
    const failure = reason({ ...run, stdout: run.stdout?.toString() ?? "" });
    if (failure.includes(ABSENT)) {
      return undefined;
    }
    throw new AuditFailure(`wrangler gave up on ${nameOf(number)} in the bucket ${name}: ${failure}`);
  }
}

/** Without a rejection that no caller waits for yet. */
const settled = (promise) => promise.then((bytes) => ({ bytes }), (error) => ({ error }));

function wrangler(args) {
  const child = spawn("wrangler", args, { stdio: ["ignore", "pipe", "pipe"] });
  const chunks = [];
  let stderr = "";
  child.stdout.on("data", (chunk) => chunks.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk) => (stderr += chunk));
  return new Promise((done) => {
    child.on("error", (error) => done({ error, stderr }));
    child.on("close", (status) => done({ status, stdout: Buffer.concat(chunks), stderr }));
  });
}
