// The shape of a source file: an SQLite file, lines of JSON, a JSON document with a list, or CSV. Its first bytes tell, and the
// ending of its name where both would fit.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { extname } from "node:path";

import { ImportFailure } from "./failure.mjs";

const HEAD = 64 * 1024;
const SQLITE = "SQLite format 3\0";
/** Members of a document that may have its list. */
export const LISTS = ["users", "identities"];

/** Returns `{shape, head}`: the shape, and the first text of the file. */
export function shapeOf(path) {
  const head = headOf(path);
  if (head.startsWith(SQLITE)) {
    return { shape: "sqlite", head };
  }
  const text = head.replace(/^\ufeff/, "").trimStart();
  if (text === "") {
    return { shape: "empty", head };
  }
  return { shape: shapeOfText(text, extname(path).toLowerCase()), head: text };
}

function shapeOfText(text, ending) {
  if (ending === ".csv" || ending === ".tsv") {
    return "csv";
  }
  if (ending === ".ndjson" || ending === ".jsonl") {
    return "lines";
  }
  if (text.startsWith("[")) {
    return "list";
  }
  return text.startsWith("{") ? shapeOfObject(text) : "csv";
}

/** One object on the first line, without a list of users in it, is the first of many. */
function shapeOfObject(text) {
  const first = parsed(text.split("\n")[0]);
  const isDocument = first === undefined || LISTS.some((name) => Array.isArray(first[name]));
  return isDocument ? "list" : "lines";
}

/** The JSON value of a text, or `undefined`. */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function headOf(path) {
  const file = opened(path);
  try {
    if (!fstatSync(file).isFile()) {
      throw new ImportFailure(`${path} is no file.`);
    }
    const bytes = Buffer.alloc(HEAD);
    return bytes.toString("utf8", 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

function opened(path) {
  try {
    return openSync(path, "r");
  } catch ({ code }) {
    throw new ImportFailure(code === "ENOENT" ? `There is no file ${path}.` : `${path} cannot be read: ${code}.`);
  }
}
