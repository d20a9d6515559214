// The chain of the archive's objects, as a pure state machine: it takes one object after another, and keeps only the values that the next
// one is compared with.
import { ArchiveFault } from "./fault.mjs";
import { kidOf } from "./keys.mjs";
import { LineFault } from "./lines.mjs";
import { readObject } from "./object.mjs";

const NO_OBJECT = "0".repeat(64);

export class Chain {
  #kid;
  #next;
  #previous;
  #total;
  #first = 1;

  /**
   * @param {string} kid the id of the only key that signs; empty without one
   * @param {number} first the number of the first object
   * @param {{sha256: string, total: number}} [before] the object before it, if anything is known of it
   */
  constructor(kid, first, before) {
    this.#kid = kid;
    this.#next = first;
    this.#previous = first === 1 ? NO_OBJECT : (before?.sha256 ?? undefined);
    this.#total = first === 1 ? 0 : before?.total;
  }

  /**
   * Takes the object of the next number: `{number, header, events, sha256, head}`.
   * @param {Uint8Array} bytes
   * @throws {ArchiveFault}
   */
  append(bytes) {
    const number = this.#next;
    const object = ofObject(number, () => readObject(bytes));
    const { header } = object;
    const fault = this.#faultOf(header);
    if (fault !== undefined) {
      throw new ArchiveFault(number, fault, 1);
    }
    this.#next += 1;
    this.#previous = object.sha256;
    this.#total = header.total;
    this.#first = header.first;
    return { number, ...object, head: `${number}:${object.sha256}:${this.#kid}` };
  }

  #faultOf({ object, first, previous, key, events, total }) {
    const number = this.#next;
    if (object !== number) {
      return `the header is that of object ${object}: objects were exchanged or renamed`;
    }
    if (kidOf(key) !== this.#kid) {
      const found = this.#kid === "" ? "the database has no archive: is it another one, or was D1 restored?" : `the archive's is ${this.#kid}`;
      return `the key is ${kidOf(key)}, and ${found}`;
    }
    if (this.#previous !== undefined && previous !== this.#previous) {
      const found = number === 1 ? "there is no object before the first" : `object ${number - 1} has the SHA-256 ${this.#previous}`;
      return `it follows an object with the SHA-256 ${previous}, but ${found}`;
    }
    const before = this.#total ?? total - events;
    if (before < 0 || total !== before + events) {
      return `the total is ${total}, but must be ${Math.max(before, 0) + events}`;
    }
    if (first < this.#first || first > number) {
      return `the oldest object that is kept is ${first}, but must be one from ${this.#first} to ${number}`;
    }
    return undefined;
  }
}

/** Runs a reader of lines; its fault gets the number of the object. */
export function ofObject(number, read) {
  try {
    return read();
  } catch (error) {
    throw error instanceof LineFault ? new ArchiveFault(number, error.message, error.line) : error;
  }
}
