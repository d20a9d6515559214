// Writes all audit events as NDJSON, oldest first: those of the archive, verified while they are read, and those of D1 (docs/audit.md).
// Environment variables: SINCE (a date or a time), TO (a file that must not exist yet, else the standard output), HEAD and FROM as for
// audit-verify.mjs, STATE (the folder of local data) or REMOTE, SECRET_KEY unless .dev.vars has the one of the archive. The exit code
// is 1 if the archive is wrong somewhere, or cannot be read; the events before that are written.
import { rmSync } from "node:fs";

import { AllEvents } from "./audit/all-events.mjs";
import { lineOf } from "./audit/event-line.mjs";
import { ArchiveFault, AuditFailure } from "./audit/fault.mjs";
import { parseHead } from "./audit/head.mjs";
import { momentOf } from "./audit/moment.mjs";
import { Output } from "./audit/output.mjs";
import { PersonalFields } from "./audit/personal.mjs";
import { Register } from "./audit/register.mjs";
import { openSource } from "./audit/sources/source.mjs";
import { Stored } from "./audit/stored.mjs";
import { counted, Tally } from "./audit/tally.mjs";
import { Walk } from "./audit/walk.mjs";
import { DatabaseError, giveUp, named } from "./database.mjs";

const { FROM: from = "", TO: to = "", SINCE = "", HEAD = "", STATE: state, REMOTE: environment = "" } = process.env;
const database = { state, environment };
const isExpected = (error) => [AuditFailure, ArchiveFault, DatabaseError].some((kind) => error instanceof kind);

/** Writes the events; those that were read before a failure, too. Returns their number, and the failure. */
async function write(events, output) {
  let written = 0;
  const put = async (list) => {
    await output.write(list.map(lineOf).join(""));
    written += list.length;
  };
  try {
    for await (const list of events.lists()) {
      await put(list);
    }
    return { written };
  } catch (failure) {
    if (failure instanceof ArchiveFault) {
      await put(events.rest());
    }
    return { written, failure };
  }
}

/** How far the output is good, at the end of the message of a failure. */
function explained(failure, written, tally) {
  const good = failure instanceof ArchiveFault ? `. ${tally.good}` : "";
  const output = written === 0 ? "No event was written" : `The output is incomplete: it ends with the last of ${counted(written, "event")} that are good`;
  return new AuditFailure(`${failure.message.replace(/\.$/, "")}${good}. ${output}.`);
}

async function exportFrom(source, since, proof) {
  const stored = new Stored(database);
  const personal = new PersonalFields(stored.secrets());
  const tally = new Tally();
  const walk = new Walk({ source, register: new Register(database), proof });
  const output = await Output.open(to);
  const { written, failure } = await write(new AllEvents({ walk, stored, personal, since, tally }), output);
  await output.close();
  if (failure) {
    if (to !== "" && written === 0) {
      rmSync(to);
    }
    throw isExpected(failure) ? explained(failure, written, tally) : failure;
  }
  const archive = tally.objects === 0 ? "no archived object" : tally.text;
  console.error(`Wrote ${counted(written, "event")}${to === "" ? "" : ` to ${to}`}, from ${named(database)} and ${archive}.`);
  if (personal.undecipherable > 0) {
    console.error(`The personal fields of ${counted(personal.undecipherable, "event")} are null: the salt of an account is not the one of then.`);
  }
}

async function main() {
  const [since, proof] = [momentOf(SINCE), parseHead(HEAD)];
  const source = await openSource(from, database);
  await exportFrom(source, since, proof).finally(() => source.close());
}

await main().catch((error) => {
  giveUp(isExpected(error) ? error.message : error.stack);
});
