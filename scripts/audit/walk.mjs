// Walks the archive from the oldest object that is kept to its end, and compares the chain with the register and with a head from the
// log. One object is in memory at a time.
//
// A register says where the archive ends, and its rows of the objects: D1's (register.mjs), or a head alone (without-register.mjs).
import { Chain } from "./chain.mjs";
import { ArchiveFault, AuditFailure } from "./fault.mjs";

const NO_OBJECT = { object: 0, first: 1 };

export class Walk {
  #source;
  #register;
  #proof;
  #chain;
  #next;

  /**
   * @param {object} options
   * @param {{get: Function, numbers: Function}} options.source the objects
   * @param {object} options.register
   * @param {{object: number, sha256: string, kid: string}} [options.proof] a head from the log
   */
  constructor({ source, register, proof }) {
    this.#source = source;
    this.#register = register;
    this.#proof = proof;
  }

  /** The number of the last object that was verified. */
  get last() {
    return this.#next - 1;
  }

  /**
   * Yields each object, once it is verified: `{number, header, events, sha256, head, isRegistered}`. An object behind the end of the
   * register belongs to a move that has not ended; there is one at most. Called again, it goes on behind the last one.
   * @throws {ArchiveFault}
   */
  async *objects() {
    let end = this.#register.end() ?? NO_OBJECT;
    this.#begin(end);
    for (let bytes = await this.#bytes(end); bytes !== undefined; bytes = await this.#bytes(end)) {
      const number = this.#next;
      if (number > end.object) {
        // The service may have archived more since the walk began.
        end = this.#register.end() ?? NO_OBJECT;
        refuseSecondSuccessor(number, end);
      }
      const object = this.#chain.append(bytes);
      const isRegistered = number <= end.object;
      refuseOtherRow(object, isRegistered ? this.#register.rowOf(number) : undefined);
      refuseOtherHead(object, this.#proof);
      this.#next += 1;
      yield { ...object, isRegistered };
    }
    if (this.#next <= end.object) {
      throw new ArchiveFault(this.#next, `the object is missing, and ${this.#register.name} ends with object ${end.object}`);
    }
    refuseLaterHead(this.last, end, this.#register, this.#proof);
    await refuseStray(this.#source, this.#next);
  }

  #begin(end) {
    if (this.#chain === undefined) {
      refuseBounds(end, this.#register, this.#proof);
      this.#chain = new Chain(this.#register.kid(this.#proof), end.first, this.#register.rowOf(end.first - 1));
      this.#next = end.first;
    }
  }

  #bytes(end) {
    return this.#source.get(this.#next, end.object);
  }
}

function refuseBounds(end, register, proof) {
  // The service logs the head of an object before its register has it.
  refuseLaterHead(end.object + 1, end, register, proof);
  if (end.object > 0 && end.first > end.object) {
    throw new ArchiveFault(end.object, `${register.name} ends with this object, and so cannot begin with object ${end.first}`);
  }
  if (proof && proof.object < end.first - 1) {
    throw new AuditFailure(
      `HEAD= is of object ${proof.object}, and retention keeps those from ${end.first} on: take a head of object ${end.first - 1} or later.`,
    );
  }
}

function refuseLaterHead(last, end, register, proof) {
  if (proof && proof.object > last) {
    const found = end.object === 0 ? "has no object" : `ends with object ${end.object}`;
    throw new ArchiveFault(proof.object, `HEAD= is of this object, but ${register.name} ${found}: the end was cut off, or D1 restored`);
  }
}

function refuseSecondSuccessor(number, end) {
  if (number > end.object + 1) {
    throw new ArchiveFault(
      number,
      `the register ends with object ${end.object}, and a move leaves one object behind it at most. Was D1 restored? Then each run of the service registers up to 12 objects`,
    );
  }
}

function refuseOtherRow({ number, sha256, header, events }, row) {
  if (row === undefined) {
    return;
  }
  const found = {
    sha256,
    first_kept: header.first,
    events: header.events,
    total: header.total,
    newest_at: events.at(-1)?.created_at ?? null,
  };
  const wrong = Object.keys(found).find((name) => found[name] !== row[name]);
  if (wrong !== undefined) {
    const cause = row.sha256 === null ? "the register has no row of it" : `${wrong} is ${found[wrong]}, and in the register ${row[wrong]}`;
    throw new ArchiveFault(number, cause);
  }
}

function refuseOtherHead({ number, sha256, header }, proof) {
  const other = "a head was logged for another object: the archive was made anew or exchanged";
  if (proof?.object === number && proof.sha256 !== sha256) {
    throw new ArchiveFault(number, `its SHA-256 is ${sha256}, and that of HEAD= is ${proof.sha256}: ${other}`);
  }
  if (proof?.object === number - 1 && proof.sha256 !== header.previous) {
    throw new ArchiveFault(number, `it follows an object with the SHA-256 ${header.previous}, and that of HEAD= is ${proof.sha256}: ${other}`, 1);
  }
}

/** Objects that no chain leads to would stop the service as soon as it comes to their number. */
async function refuseStray(source, next) {
  const stray = (await source.numbers()).find((number) => number > next);
  if (stray !== undefined) {
    throw new ArchiveFault(stray, `the object is beyond the end, and object ${next} is missing`);
  }
}
