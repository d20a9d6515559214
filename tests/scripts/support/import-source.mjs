// Sources of `make import`: their files, and the lines that they become.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { stateFolder } from "../../e2e/support/start.mjs";
import { openSource } from "../../../scripts/moving/source.mjs";

const NO_OPTIONS = { format: "", map: "", table: "", hashConfig: "", passwords: "", verified: false };

/** Writes a file into a folder of its own: its path. */
export function fileOf(content, name = "source") {
  const path = join(stateFolder(), name);
  writeFileSync(path, content);
  return path;
}

export const openFile = (from, options = {}) => openSource({ ...NO_OPTIONS, from, ...options });

export async function all(iterable) {
  const found = [];
  for await (const item of iterable) found.push(item);
  return found;
}

/** The format that was found, and the lines of a source; a refusal is its code. */
export async function linesOf(from, options) {
  const source = openFile(from, options);
  const items = await all(source.items());
  source.close();
  return { format: source.format, lines: items.map(({ code, text }) => code ?? JSON.parse(text)), items };
}
