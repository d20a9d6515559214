// How far an import came, in `<FROM>.import.json`: written behind each chunk, so that another run goes on there. The refused lines
// are in `<FROM>.refused.ndjson`, without hashes. Both files are for their owner only.
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";

import { ImportFailure } from "./failure.mjs";
import { parsed } from "./shape.mjs";

const OWNER_ONLY = 0o600;
const NOTHING = { position: 0, created: 0, exists: 0, updated: 0, refused: {}, costlier: 0, reported: 0 };

export class Progress {
  #path;
  #report;
  #fingerprint;
  #file;
  /** Was there a run before, on the same source? */
  isResumed = false;
  counts = structuredClone(NOTHING);

  constructor(from, fingerprint) {
    this.#path = `${from}.import.json`;
    this.#report = `${from}.refused.ndjson`;
    this.#fingerprint = fingerprint;
    const saved = existsSync(this.#path) ? parsed(readFileSync(this.#path, "utf8")) : undefined;
    if (saved?.fingerprint === fingerprint) {
      this.counts = saved.counts;
      this.isResumed = true;
    }
    this.#trimReport();
    this.save();
  }

  get report() {
    return this.#report;
  }

  get refused() {
    return Object.values(this.counts.refused).reduce((sum, count) => sum + count, 0);
  }

  /** Counts a chunk: its items, and the outcome of each. */
  record(items, outcomes) {
    items.forEach((item, index) => this.#count(item, outcomes[index]));
    this.counts.position += items.length;
    this.save();
  }

  #count({ line, externalId }, { outcome, code, costlier }) {
    if (outcome === "refused") {
      this.counts.refused[code] = (this.counts.refused[code] ?? 0) + 1;
      this.#write({ line, external_id: externalId, code });
    } else {
      this.counts[outcome] += 1;
    }
    this.counts.costlier += costlier ? 1 : 0;
  }

  #write(entry) {
    this.#file ??= openSync(this.#report, "a", OWNER_ONLY);
    const bytes = Buffer.from(`${JSON.stringify(entry)}\n`);
    writeSync(this.#file, bytes);
    this.counts.reported += bytes.length;
  }

  /** Removes a report of another import, and lines behind those that the saved state knows: their chunk is sent again. */
  #trimReport() {
    if (this.counts.reported === 0) {
      rmSync(this.#report, { force: true });
    } else if (existsSync(this.#report)) {
      truncateSync(this.#report, this.counts.reported);
    }
  }

  /** Replaces the file in one step: a crash leaves the former one. */
  save() {
    const next = `${this.#path}.next`;
    try {
      rmSync(next, { force: true });
      writeFileSync(next, JSON.stringify({ fingerprint: this.#fingerprint, counts: this.counts }), { mode: OWNER_ONLY, flag: "wx" });
      renameSync(next, this.#path);
    } catch ({ code }) {
      throw new ImportFailure(`${this.#path} cannot be written (${code}): an import notes there how far it came.`);
    }
  }

  /** The import is complete. */
  finish() {
    rmSync(this.#path, { force: true });
    if (this.#file !== undefined) {
      closeSync(this.#file);
    }
  }
}
