// Services that live as long as one test, and ones that are stopped and started again on the same data.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startService } from "./service.mjs";

/** A service with a database of its own, stopped when the test `t` is over. */
export async function startFor(t, options) {
  const service = await startService(options);
  t.after(() => service.stop());
  return service;
}

const folders = [];
process.on("exit", () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder for data that outlives a service: removed with the process, after every service that writes there. */
export function stateFolder() {
  folders.push(mkdtempSync(join(tmpdir(), "edge-auth-e2e-state-")));
  return folders.at(-1);
}

/** `start(settings)`: each call stops the service of the call before and starts one on the same data. */
export function restarting(t, options = {}) {
  let service;
  t.after(() => service?.stop());
  const state = stateFolder();
  return async (settings) => {
    await service?.stop();
    service = await startService({ ...options, state, settings });
    return service;
  };
}
