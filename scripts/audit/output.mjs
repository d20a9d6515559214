// Where the export writes: a new file that only its owner can read, or the standard output.
import { createWriteStream } from "node:fs";
import { once } from "node:events";

import { AuditFailure } from "./fault.mjs";

export class Output {
  #stream;
  #failure;

  /** @param {string} path empty for the standard output */
  static async open(path) {
    const output = new Output();
    output.#stream = path === "" ? process.stdout : createWriteStream(path, { flags: "wx", mode: 0o600 });
    output.#stream.on("error", (error) => (output.#failure = error));
    if (path !== "") {
      await once(output.#stream, "open").catch(({ code }) => {
        throw new AuditFailure(code === "EEXIST" ? `${path} exists already: choose another file.` : `${path} cannot be written: ${code}.`);
      });
    }
    return output;
  }

  /** Writes a text, and waits where the reader is slower. */
  async write(text) {
    await new Promise((done) => this.#stream.write(text, done));
    if (this.#failure) {
      throw new AuditFailure(`The output cannot be written: ${this.#failure.code}.`);
    }
  }

  async close() {
    if (this.#stream !== process.stdout) {
      await new Promise((done) => this.#stream.end(done));
    }
  }
}
