// Bytes of a source file: read in pieces, collected up to a limit, decoded as strict UTF-8. No reader of this folder keeps more
// than one entry in memory, however long the entry or the file is.
import { createReadStream } from "node:fs";

/** Bytes of one entry, at most. Other systems keep metadata in it, so this is more than the service's limit of a line. */
export const MAX_ENTRY = 1024 * 1024;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BYTE_ORDER_MARK = Buffer.from("\ufeff");

/** The text, or `undefined` if the bytes are not UTF-8. */
export function decoded(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The file in pieces, without a byte order mark. `seen` gets the number of bytes read so far.
 * @param {string} path
 * @param {(bytes: number) => void} seen
 */
export async function* pieces(path, seen = () => {}) {
  let position = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    const hasMark = position === 0 && piece.subarray(0, 3).equals(BYTE_ORDER_MARK);
    position += piece.length;
    seen(position);
    yield hasMark ? piece.subarray(3) : piece;
  }
}

/** Collects the bytes of one entry. Beyond the limit it only remembers that there were more. */
export class Entry {
  #bytes = Buffer.allocUnsafe(4096);
  #length = 0;
  isTooLong = false;

  get length() {
    return this.#length;
  }

  add(bytes) {
    if (this.#length + bytes.length > MAX_ENTRY) {
      this.isTooLong = true;
      return;
    }
    this.#reserve(bytes.length);
    this.#length += bytes.copy(this.#bytes, this.#length);
  }

  push(byte) {
    if (this.#length === MAX_ENTRY) {
      this.isTooLong = true;
      return;
    }
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  /** A view that is valid until the next change. */
  view(from = 0, to = this.#length) {
    return this.#bytes.subarray(from, to);
  }

  clear() {
    this.#length = 0;
    this.isTooLong = false;
  }

  #reserve(more) {
    if (this.#length + more > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.min(MAX_ENTRY, Math.max(2 * this.#bytes.length, this.#length + more)));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
  }
}
