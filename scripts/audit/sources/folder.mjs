// The objects of the archive in a folder, as a copy of the bucket has them: below `audit/`, or by themselves.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

import { AuditFailure, nameOf } from "../fault.mjs";
import { numbersOf } from "./names.mjs";

export class Folder {
  #path;

  constructor(path) {
    const below = join(path, "audit");
    this.#path = existsSync(below) ? below : path;
  }

  /** The bytes of an object; `undefined` if there is none of this number. */
  async get(number) {
    return this.#reading(() => readFileSync(join(this.#path, basename(nameOf(number)))), undefined);
  }

  /** The numbers of all objects, ascending. */
  async numbers() {
    return numbersOf(this.#reading(() => readdirSync(this.#path)).map((name) => `audit/${name}`));
  }

  async close() {}

  #reading(read, absent) {
    try {
      return read();
    } catch (error) {
      if (error.code === "ENOENT" && arguments.length > 1) {
        return absent;
      }
      throw new AuditFailure(`FROM=${this.#path} cannot be read: ${error.code}.`);
    }
  }
}
