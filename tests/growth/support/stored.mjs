// The database file while no service runs: to fill it, and to read all of it, without
// blocking a service. D1 is SQLite, and this is its file.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const FOLDER = "d1";

/** Opens the database of a stopped service, and closes it after its use. */
export function withStored(folder, use) {
  const db = new DatabaseSync(fileIn(join(folder, FOLDER)));
  try {
    // Room for all of it, in KiB.
    db.exec("PRAGMA cache_size = -600000");
    return use(db);
  } finally {
    db.close();
  }
}

function fileIn(folder) {
  const names = readdirSync(folder, { recursive: true });
  const files = names.filter((name) => name.endsWith(".sqlite") && !name.endsWith("metadata.sqlite"));
  assert.equal(files.length, 1, `one database among ${names}`);
  return join(folder, files[0]);
}
