// Saves the results of benchmarks for other programs.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");

/** Writes a value as JSON to a file in `dist`, and returns its path. */
export function save(name, value) {
  const file = join(ROOT, "dist", name);
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
  return relative(ROOT, file);
}
