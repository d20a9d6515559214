// Fills a database file on disk while no process uses it. It adds any number of the users of people.mjs, each with
// the rows of a registration.
import { withStored } from "../../tests/growth/support/stored.mjs";
import { rowsOf } from "./people.mjs";

/** Fills a migrated, empty database according to a model (`model.mjs`). */
export function fillStored(folder, users, model) {
  withStored(folder, (db) => {
    const indexes = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").all();
    // No durability needed: an interrupted benchmark starts again from an empty database.
    db.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF");
    // Building the indexes once over all rows takes a fraction of the time.
    indexes.forEach(({ name }) => db.exec(`DROP INDEX ${name}`));
    rowsOf(users, model).forEach(({ sql, values }) => db.prepare(sql).run(...values));
    indexes.forEach(({ sql }) => db.exec(sql));
    db.exec("PRAGMA journal_mode = WAL");
  });
}
