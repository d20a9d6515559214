// A service that can be killed as by a machine failure: node and workerd, at once, without a shutdown.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { until } from "./faults.mjs";

const SERVE = join(import.meta.dirname, "serve.mjs");

/** Starts `serve.mjs` in a process group of its own: `{origin, kill()}`. The test `t` cleans up after itself. */
export async function startKillable(t, { state, settings, wrapper = "" }) {
  const options = { detached: true, stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, TMPDIR: state } };
  const child = spawn(process.execPath, [SERVE, state, JSON.stringify(settings), wrapper], options);
  const exited = once(child, "exit");
  t.after(() => child.stdin.end());
  const origin = await originOf(child);
  return {
    origin,
    async kill() {
      process.kill(-child.pid, "SIGKILL");
      await exited;
      await untilRefused(origin);
    },
  };
}

async function originOf(child) {
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{"origin"')) {
      return JSON.parse(line).origin;
    }
  }
  throw new Error("the service ended before it answered");
}

/** Waits until no process listens any more: workerd is gone, and with it its locks on the database. */
function untilRefused(origin) {
  const { hostname, port } = new URL(origin);
  return until("no process listens any more", () => {
    return new Promise((resolve) => {
      const socket = connect({ host: hostname, port }, () => resolve(false));
      socket.on("error", (error) => resolve(error.code === "ECONNREFUSED"));
      socket.on("close", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
  });
}
