// How far an import came, in `<FROM>.import.json`: written behind each chunk, so that another run goes on there. The lines that were
// refused or failed are in `<FROM>.refused.ndjson`, without hashes. Both files are for their owner only. Other users may be able
// to write to the folder, so no symbolic link is followed.
import { closeSync, constants, existsSync, fchmodSync, ftruncateSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";

import { ImportFailure } from "./failure.mjs";
import { parsed } from "./shape.mjs";

const { O_RDONLY, O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
const OWNER_ONLY = 0o600;
const NOTHING = { position: 0, created: 0, exists: 0, updated: 0, refused: {}, failed: {}, costlier: 0, reported: 0 };

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
    const saved = parsed(contentOf(this.#path));
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
    return sumOf(this.counts.refused);
  }

  get failed() {
    return sumOf(this.counts.failed);
  }

  /** Counts a chunk: its items, and the outcome of each. */
  record(items, outcomes) {
    items.forEach((item, index) => this.#count(item, outcomes[index]));
    this.counts.position += items.length;
    this.save();
  }

  #count({ line, externalId }, { outcome, code, costlier }) {
    if (outcome === "refused" || outcome === "failed") {
      const codes = this.counts[outcome];
      codes[code] = (codes[code] ?? 0) + 1;
      this.#write({ line, external_id: externalId, code });
    } else {
      this.counts[outcome] += 1;
    }
    this.counts.costlier += costlier ? 1 : 0;
  }

  #write(entry) {
    this.#file ??= openOwn(this.#report, O_WRONLY | O_CREAT | O_APPEND);
    const bytes = Buffer.from(`${JSON.stringify(entry)}\n`);
    writeSync(this.#file, bytes);
    this.counts.reported += bytes.length;
  }

  /** Removes a report of another import, and lines behind those that the saved state knows: their chunk is sent again. */
  #trimReport() {
    if (this.counts.reported === 0) {
      rmSync(this.#report, { force: true });
    } else if (existsSync(this.#report)) {
      this.#file = openOwn(this.#report, O_WRONLY | O_APPEND);
      ftruncateSync(this.#file, this.counts.reported);
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

const sumOf = (codes) => Object.values(codes).reduce((sum, count) => sum + count, 0);

/** Opens a file that is no symbolic link, for its owner only. */
function openOwn(path, flags) {
  try {
    const file = openSync(path, flags | O_NOFOLLOW, OWNER_ONLY);
    fchmodSync(file, OWNER_ONLY);
    return file;
  } catch ({ code }) {
    const reason = code === "ELOOP" ? "it is a symbolic link, which an import does not follow" : code;
    throw new ImportFailure(`${path} cannot be opened: ${reason}. Remove it, or move the source to a folder of your own.`);
  }
}

/** The text of a file; empty if there is none. */
function contentOf(path) {
  if (!existsSync(path)) {
    return "";
  }
  const file = openOwn(path, O_RDONLY);
  try {
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}
