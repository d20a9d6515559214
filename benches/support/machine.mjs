// The circumstances of a measurement: machine, versions, commit.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");

/** The output of a command, or null if it fails. */
function output(command, ...args) {
  try {
    return execFileSync(command, args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}

const versionOf = (name) => JSON.parse(readFileSync(join(ROOT, "node_modules", name, "package.json"), "utf8")).version;
const crate = (name) => {
  const pattern = new RegExp(`^${name} = .*?"=?([0-9][^"]*)"`, "m");
  return readFileSync(join(ROOT, "Cargo.toml"), "utf8").match(pattern)?.[1] ?? null;
};

export function circumstances() {
  return {
    measured_at: new Date().toISOString(),
    machine: {
      cpu: cpus()[0].model,
      processors: cpus().length,
      memory_gib: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()} ${process.arch}`,
    },
    versions: {
      edge_auth: crate("version"),
      wasm_bindgen: crate("wasm-bindgen"),
      rustc: output("rustc", "--version"),
      workerd: versionOf("workerd"),
      miniflare: versionOf("miniflare"),
      node: process.version,
      autocannon: versionOf("autocannon"),
    },
    commit: { hash: output("git", "rev-parse", "HEAD"), is_dirty: output("git", "status", "--porcelain") !== "" },
  };
}

/** The circumstances as two lines of text. */
export function inWords({ machine, versions, commit }) {
  const { hash, is_dirty: isDirty } = commit;
  return [
    `${machine.cpu} × ${machine.processors}, ${machine.memory_gib} GiB, ${machine.system}`,
    `edge-auth ${versions.edge_auth} (${hash?.slice(0, 9)}${isDirty ? ", with changes" : ""}), ${versions.rustc}, ` +
      `wasm-bindgen ${versions.wasm_bindgen}, workerd ${versions.workerd}, node ${versions.node}`,
  ];
}
