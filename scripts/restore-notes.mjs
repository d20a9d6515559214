// Prints the SQL that a database needs after D1 Time Travel took it back to SINCE: restoring revives erased people, old
// passwords, disabled accounts, removed roles, removed second factors and used recovery codes, changed addresses, withdrawn keys, signing keys, and links, mails and invitations of before, and gives out ids a second time. It loses keys of the audit archive. Run it
// before the restore, since it reads the database of now. Environment variables: SINCE, STATE and REMOTE, as for admin.mjs.
//
// Sessions are not in it: they end with a new SECRET_KEY (docs/operate.md). The output contains password hashes.
import { execute, giveUp } from "./database.mjs";
import { readNotes } from "./restoring/reading.mjs";
import { statementsOf } from "./restoring/statements.mjs";

const { SINCE = "", STATE: state, REMOTE: environment } = process.env;
const since = Date.parse(SINCE);
if (!/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(SINCE) || Number.isNaN(since)) {
  giveUp("Say the moment of the restore: make restore-notes SINCE=2026-11-28T10:00:00Z");
}

const notes = readNotes((sql) => execute(sql, { state, environment }), since);
// One by one: together they may be longer than a text can be.
statementsOf(notes).forEach((statement) => console.log(statement));
const { erased, changed, stripped, withdrawn, deleted, altered, proven, refactored } = notes;
const [known] = notes.moments;
console.error(
  `Since ${SINCE}: ${erased.length} erased, ${changed.length} passwords or states changed, ${stripped.length} with removed roles, ` +
    `${withdrawn.length} keys withdrawn, ${deleted.length} service accounts deleted, ${altered.length} changed, ` +
    `${proven.length} addresses proven, ${refactored.length} with changed second factors.`,
);
const iso = (milliseconds) => new Date(milliseconds).toISOString();
if (known.archived >= since) {
  console.error(
    `INCOMPLETE: events from ${SINCE} to ${iso(known.archived)} are in the archive, and not in these notes. Read them by make audit-export SINCE=${SINCE}, ` +
      `and repeat their erasures, removals and changes by hand.${known.first_archived > since ? " Objects of the beginning of that time may have been deleted." : ""}`,
  );
} else if (known.oldest === null || known.oldest > since) {
  const until = known.oldest === null ? "now" : iso(known.oldest);
  console.error(
    `INCOMPLETE, unless nothing happened from ${SINCE} to ${until}: the database has no events of that time. AUDIT_RETENTION_DAYS or ` +
      "AUDIT_ARCHIVE_RETENTION_DAYS may have deleted them. Repeat erasures, removals and changes of that time by hand.",
  );
}
