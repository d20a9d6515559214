// The two ways in which a script of the audit archive ends early: the archive is wrong, or it could not be read.

/** The name of an object in its bucket. */
export const nameOf = (number) => `audit/${String(number).padStart(10, "0")}.ndjson`;

/** An object is missing or wrong. The message says which object, which line, and which check found it. */
export class ArchiveFault extends Error {
  constructor(number, reason, line) {
    super(`${nameOf(number)}${line === undefined ? "" : `, line ${line}`}: ${reason}`);
  }
}

/** The archive could not be checked: an option, a file, the database or the bucket. The message is for the operator. */
export class AuditFailure extends Error {}
