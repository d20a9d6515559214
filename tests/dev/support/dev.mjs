// `make dev` as from a terminal: on a port of its own, and with data of the test.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../../..");

export function freePort() {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/**
 * Starts `make dev` and waits until it says that it is ready: `{make, api, output}`.
 * @param {{state: string, args?: string, port: number, more?: string[]}} options
 */
export async function startDev({ state, args = "", port, more = [] }) {
  const make = spawn("make", ["dev", `PORT=${port}`, `STATE=${state}`, `ARGS=${args}`, ...more], {
    cwd: ROOT,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const ready = new Promise((done, fail) => {
    const read = (chunk) => {
      output += chunk;
      if (output.includes(`Ready on http://127.0.0.1:${port}`)) {
        done();
      }
    };
    make.stdout.on("data", read);
    make.stderr.on("data", read);
    make.on("exit", (code) => fail(new Error(`make dev ended with ${code}:\n${output}`)));
  });
  await ready;
  return { make, api: `http://127.0.0.1:${port}`, output: () => output };
}

/** Ctrl-C, which reaches the whole group of processes. */
export function stopDev({ make }) {
  return new Promise((done) => {
    make.removeAllListeners("exit");
    make.on("exit", done);
    process.kill(-make.pid, "SIGINT");
  });
}
