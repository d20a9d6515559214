// The password hashes of Auth0, which come in a file of their own (PASSWORDS=), found by the id of the user. They are kept in a
// temporary database on the disk, so that the memory does not grow with the number of users.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { ImportFailure } from "./failure.mjs";
import { hashOf, idOf } from "./formats/auth0.mjs";
import { lines } from "./lines.mjs";
import { parsed, shapeOf } from "./shape.mjs";

/** `fill()` reads the file; `find(id)` works afterwards; `close()` removes the temporary database. */
export function openPasswords(path) {
  if (shapeOf(path).shape !== "lines") {
    throw new ImportFailure(`PASSWORDS= must be Auth0's export of password hashes, lines of JSON: ${path} is none.`);
  }
  const folder = mkdtempSync(join(tmpdir(), "edge-auth-import-"));
  chmodSync(folder, 0o700);
  const database = new DatabaseSync(join(folder, "passwords.db"));
  database.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE hashes (id TEXT PRIMARY KEY, hash TEXT) STRICT");
  const select = database.prepare("SELECT hash FROM hashes WHERE id = ?");
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  return {
    fill: () => fill(database, path),
    find: (id) => (id === undefined ? undefined : select.get(id)?.hash),
    close() {
      database.close();
      remove();
    },
  };
}

async function fill(database, path) {
  const insert = database.prepare("INSERT OR REPLACE INTO hashes (id, hash) VALUES (?, ?)");
  database.exec("BEGIN");
  for await (const { line, text = "" } of lines(path)) {
    const entry = parsed(text);
    const [id, hash] = [entry && idOf(entry), entry && hashOf(entry)];
    if (typeof id !== "string" || typeof hash !== "string") {
      throw new ImportFailure(`Line ${line} of ${path} has no id or no hash: it is no export of password hashes.`);
    }
    insert.run(id, hash);
  }
  database.exec("COMMIT");
}
