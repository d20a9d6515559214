// Verifies the archive of audit events (docs/audit.md). Environment variables: FROM (a folder of downloaded objects), HEAD (a head from
// the log of the service), STATE (the folder of local data), REMOTE (the name of a deployment), and SAID_STATE if the operator named
// STATE: FROM and HEAD alone need no database. The exit code is 0 if all objects are as they were written, 1 otherwise.
import { ArchiveFault, AuditFailure } from "./audit/fault.mjs";
import { parseHead } from "./audit/head.mjs";
import { Register } from "./audit/register.mjs";
import { openSource } from "./audit/sources/source.mjs";
import { Tally } from "./audit/tally.mjs";
import { Walk } from "./audit/walk.mjs";
import { WithoutRegister } from "./audit/without-register.mjs";
import { DatabaseError, giveUp, named } from "./database.mjs";

const { FROM: from = "", HEAD = "", STATE: state, SAID_STATE: saidState = "", REMOTE: environment = "" } = process.env;
const database = { state, environment };
const isAlone = from !== "" && environment === "" && saidState === "";
const folder = from === "" ? [] : [`the folder ${from}`];
const place = [...folder, ...(isAlone ? [] : [named(database)])].join(", with the register of ");

/** Verifies all objects. The message of a fault says how many were verified before it. */
async function verify(proof, source, tally) {
  const register = isAlone ? await WithoutRegister.of(source, proof) : new Register(database);
  try {
    for await (const object of new Walk({ source, register, proof }).objects()) {
      tally.add(object);
    }
  } catch (error) {
    throw error instanceof ArchiveFault ? new AuditFailure(`${error.message}. ${tally.good}, in ${place}.`) : error;
  }
}

function report(proof, tally) {
  const { objects, last, registered } = tally;
  if (objects === 0) {
    return [`No audit events are archived in ${place}.`];
  }
  const lines = [`Verified ${tally.text}, in ${place}. The head is ${registered?.head ?? "not registered yet"}.`];
  if (proof && proof.object < last.number) {
    lines.push(`HEAD= proves the objects up to ${proof.object}; the later ones are signed by the same key.`);
  }
  if (last !== registered) {
    lines.push(`Object ${last.number} belongs to a move that has not ended: the next run of the service registers it.`);
  }
  return lines;
}

async function main() {
  const proof = parseHead(HEAD);
  const source = await openSource(from, database);
  const tally = new Tally();
  try {
    await verify(proof, source, tally);
  } finally {
    await source.close();
  }
  console.log(report(proof, tally).join("\n"));
}

await main().catch((error) => {
  if (error instanceof AuditFailure || error instanceof ArchiveFault || error instanceof DatabaseError) {
    giveUp(error.message);
  }
  throw error;
});
