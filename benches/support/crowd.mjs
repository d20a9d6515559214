// A database of any size, as it lies on the disk while nobody uses it: so many users, each with a session, a refresh
// token and an audit event. The people are those of people.mjs.
import { withStored } from "../../tests/growth/support/stored.mjs";
import { rowsOf } from "./people.mjs";

const EVENTS = `INSERT INTO audit_events (created_at, type, user_id, session_id, request_id)
  SELECT created_at, 'signed_in', user_id, id, printf('%032x', id) FROM sessions`;

/** Fills a migrated database that nobody has used; the password of everybody has this hash. */
export function fillStored(folder, users, hash) {
  withStored(folder, (db) => {
    const indexes = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").all();
    // Nobody needs what is lost if this is cut off.
    db.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF");
    // Built once over all rows, they take a fraction of the time.
    indexes.forEach(({ name }) => db.exec(`DROP INDEX ${name}`));
    rowsOf(users, hash).forEach(({ sql, values }) => db.prepare(sql).run(...values));
    db.exec(EVENTS);
    indexes.forEach(({ sql }) => db.exec(sql));
    db.exec("PRAGMA journal_mode = WAL");
  });
}
