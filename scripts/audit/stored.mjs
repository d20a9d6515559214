// The reads of the export in D1, beside the register: the events that are not archived yet, and the secrets of archived ones.
import { query } from "../database.mjs";
import { readPaged } from "../pages.mjs";

const PAGE = 5000;
const KEY = { select: "SELECT kid, master_key, encrypted_by FROM audit_keys" };
const SALTS = { select: "SELECT user_id, salt FROM audit_salts", by: "user_id", size: 20_000 };
/** The condition and the columns of the list for administrators (src/store/audit/list.rs). */
const selectEvents = (after, since) => `
  SELECT id, created_at, type, reason, coalesce(count, 1) AS count, coalesce(last_at, created_at) AS last_at, user_id, session_id,
    actor_id, university_id, object_id, ip, user_agent, request_id, ray
  FROM audit_events WHERE id > ${after} AND created_at >= ${since} ORDER BY id LIMIT ${PAGE}`;

export class Stored {
  #ask;

  /**
   * @param {object} database as `query` takes it
   * @param {Function} [ask] runs statements on it
   */
  constructor(database, ask = query) {
    this.#ask = (sql) => ask(sql, database);
  }

  /** The row of the archive's key, which its first run makes, and the salts of all accounts with archived events. */
  secrets() {
    const [[key], salts] = readPaged(this.#ask, [KEY, SALTS]);
    return { key, salts: new Map(salts.map(({ user_id: id, salt }) => [id, salt])) };
  }

  /** The next events behind an id, are these all, and the newest object of the register at the same moment. */
  events(after, since) {
    const [rows, [{ head }]] = this.#ask(`${selectEvents(after, since)}; SELECT coalesce(max(object), 0) AS head FROM audit_objects`);
    return { rows, isLast: rows.length < PAGE, head };
  }
}
