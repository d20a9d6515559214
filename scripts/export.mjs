// Writes the users of a database as the lines that `make import` reads. Environment variables: TO (the file, which must not exist
// yet), FORMAT=passlib for hashes as passlib has them, STATE (the folder of a local database) or REMOTE.
import { closeSync, openSync, rmSync, writeSync } from "node:fs";

import { DatabaseError, giveUp, named, query } from "./database.mjs";
import { lineOf } from "./moving/exported.mjs";
import { pageAfter, SELECT_IMPORTER } from "./moving/users.mjs";

/** The roles of a line that an import takes. */
const MAX_ROLES = 20;

const { TO: to = "", FORMAT: format = "", STATE: state, REMOTE: environment } = process.env;
const database = { state, environment };
if (to === "") {
  giveUp("Say where to: make export TO=users.ndjson");
}
if (!["", "passlib"].includes(format)) {
  giveUp("FORMAT= is passlib, or left out.");
}

/** Opens a file that only its owner can read. */
function create(path) {
  try {
    return openSync(path, "wx", 0o600);
  } catch ({ code }) {
    return giveUp(code === "EEXIST" ? `${path} exists already: choose another file.` : `${path} cannot be written: ${code}.`);
  }
}

/** Writes all users, page by page: the number of users, and of those with more roles than an import takes. */
function write(file) {
  const [[importer]] = query(SELECT_IMPORTER, database);
  const counts = { users: 0, ofManyRoles: 0 };
  for (let after = 0; ; ) {
    const [users, roles] = query(pageAfter(after, importer?.importer), database);
    if (users.length === 0) {
      return counts;
    }
    const rolesOf = Map.groupBy(roles, ({ user_id: id }) => id);
    const lines = users.map((user) => `${JSON.stringify(lineOf(user, rolesOf.get(user.id) ?? [], format))}\n`);
    writeSync(file, lines.join(""));
    counts.users += users.length;
    counts.ofManyRoles += [...rolesOf.values()].filter(({ length }) => length > MAX_ROLES).length;
    after = users.at(-1).id;
  }
}

const file = create(to);
try {
  const { users, ofManyRoles } = write(file);
  console.log(`Wrote ${users} users to ${to}, from ${named(database)}.`);
  if (ofManyRoles > 0) {
    console.log(`${ofManyRoles} of them have more than ${MAX_ROLES} roles, with which an import refuses them.`);
  }
  console.log("The file has password hashes and addresses: keep it as you keep the database, and remove it when it is not needed.");
} catch (error) {
  rmSync(to, { force: true });
  if (error instanceof DatabaseError) {
    giveUp(error.message);
  }
  throw error;
} finally {
  closeSync(file);
}
