// The register of the archive in D1: its key, and a row for each object. Rows are read in pages: wrangler takes a second for each.
import { query } from "../database.mjs";
import { ArchiveFault } from "./fault.mjs";
import { kidOf } from "./keys.mjs";

const PAGE = 5000;
const SELECT_KEY = "SELECT kid, public_key FROM audit_keys";
const SELECT_END = "SELECT object, first_kept AS first FROM audit_objects ORDER BY object DESC LIMIT 1";
const selectRows = (from) => `
  SELECT object, sha256, first_kept, events, total, newest_at FROM audit_objects WHERE object >= ${from} ORDER BY object LIMIT ${PAGE}`;
const NO_ROW = { sha256: null };

export class Register {
  name = "the register";
  #ask;
  #rows = new Map();
  #end;
  #key;

  /**
   * @param {object} database as `query` takes it
   * @param {Function} [ask] runs statements on it
   */
  constructor(database, ask = query) {
    this.#ask = (sql) => ask(sql, database);
  }

  /** The newest object, and the oldest that is kept: `{object, first}`; `undefined` without any. */
  end() {
    [[this.#end], [this.#key]] = this.#ask(`${SELECT_END}; ${SELECT_KEY}`);
    return this.#end;
  }

  /** The id of the key, read with the end. A head from the log names it too. */
  kid(proof) {
    const row = this.#key;
    const first = this.#end?.first ?? 1;
    if (row === undefined) {
      if (this.#end || proof) {
        throw new ArchiveFault(first, "the database has no key of the archive, so no signature can be verified");
      }
      return "";
    }
    const kid = kidOf(keyOf(row.public_key, first));
    if (kid !== row.kid) {
      throw new ArchiveFault(first, `the public key in the database has the id ${kid}, but its row ${row.kid}: the key was replaced`);
    }
    if (proof && proof.kid !== kid) {
      throw new ArchiveFault(first, `the key in the database is ${kid}, and that of HEAD= is ${proof.kid}: the key was replaced`);
    }
    return kid;
  }

  /** The row of an object; one without a hash if it has none, and `undefined` for object 0. */
  rowOf(number) {
    if (number === 0) {
      return undefined;
    }
    if (!this.#rows.has(number)) {
      this.#rows = new Map(this.#ask(selectRows(number))[0].map((row) => [row.object, row]));
    }
    return this.#rows.get(number) ?? NO_ROW;
  }
}

function keyOf(text, first) {
  try {
    return JSON.parse(text);
  } catch {
    throw new ArchiveFault(first, "the public key in the database is not JSON: the key was replaced");
  }
}
