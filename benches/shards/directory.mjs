// The directory: which slice has the user of an address. It knows a keyed hash of the address only, so a stolen
// directory names no user. One object here; docs/scale.md says how it is divided too.
import { DurableObject } from "cloudflare:workers";

const SCHEMA = "CREATE TABLE IF NOT EXISTS places (address TEXT PRIMARY KEY, slice INTEGER NOT NULL) STRICT, WITHOUT ROWID";

export class Directory extends DurableObject {
  #sql = this.ctx.storage.sql;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql.exec(SCHEMA);
  }

  /** The slice of an address, or null. */
  find(address) {
    return this.#sql.exec("SELECT slice FROM places WHERE address = ?1", address).toArray()[0]?.slice ?? null;
  }

  /** Keeps the places of many addresses, each as `[address, slice]`. */
  put(places) {
    this.#sql.exec(
      "INSERT INTO places (address, slice) SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE TRUE ON CONFLICT DO NOTHING",
      JSON.stringify(places),
    );
  }
}
