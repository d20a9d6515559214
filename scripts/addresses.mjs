// Brings the addresses on file into the spelling that the service compares: the domain in its ASCII form. Earlier
// versions stored it as it was typed. Environment variables: STATE (the folder of a local database) or REMOTE (the name
// of a deployment), and APPLY=yes to change the addresses, not only to count them.
//
// Two accounts may turn out to have one mailbox. They are reported by their ids and stay as they are: only their owners
// can say which one is to go.
import { asciiDomain, execute, named, quoted, storedEmail } from "./database.mjs";

const { STATE: state, REMOTE: environment, APPLY } = process.env;
const database = environment ? { environment } : { state };
/** Statements per call of wrangler. */
const STEP = 200;

/** Only these can differ: ASCII addresses without an encoded domain were stored in the same spelling before. */
const SELECT = "SELECT id, email FROM users WHERE email GLOB '*[^ -~]*' OR email LIKE '%@%xn--%' ORDER BY id";

const [rows] = execute(SELECT, database);
const wanted = rows.map(({ id, email }) => ({ id, email, stored: storedEmail(email) }));
const unreadable = wanted.filter(({ email }) => asciiDomain(email) === "");
const changed = wanted.filter(({ email, stored }) => stored !== email && asciiDomain(email) !== "");

const taken = new Map(wanted.filter(({ email, stored }) => stored === email).map(({ id, email }) => [email, [id]]));
for (const chunk of chunks(changed)) {
  const list = chunk.map(({ stored }) => quoted(stored)).join(", ");
  const [present] = execute(`SELECT id, email FROM users WHERE email IN (${list})`, database);
  present.forEach(({ id, email }) => taken.set(email, [id]));
}
changed.forEach(({ id, stored }) => taken.set(stored, [...(taken.get(stored) ?? []), id]));

const collisions = [...new Set(changed.map(({ stored }) => stored))].map((stored) => taken.get(stored)).filter((ids) => ids.length > 1);
const free = changed.filter(({ stored }) => taken.get(stored).length === 1);

if (APPLY === "yes") {
  for (const chunk of chunks(free)) {
    const update = ({ id, email, stored }) =>
      `UPDATE users SET email = ${quoted(stored)} WHERE id = ${id} AND email = ${quoted(email)}`;
    execute(chunk.map(update).join(";\n"), database);
  }
}

console.log(`${APPLY === "yes" ? "Changed" : "To be changed (APPLY=yes)"}: ${free.length} addresses, in ${named(database)}.`);
collisions.forEach((ids) => console.log(`One mailbox, several accounts, unchanged: users ${ids.join(", ")}.`));
unreadable.forEach(({ id }) => console.log(`No valid domain, unchanged: user ${id}.`));
process.exitCode = collisions.length + unreadable.length > 0 ? 1 : 0;

function* chunks(items) {
  for (let start = 0; start < items.length; start += STEP) {
    yield items.slice(start, start + STEP);
  }
}
