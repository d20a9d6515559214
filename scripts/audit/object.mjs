// One object of the archive: its lines, their counts and order, and its signature. The chain between objects is chain.mjs's.
import { isSignature, sha256, signedText } from "./keys.mjs";
import { EVENT, HEADER, LineFault, parse, SIGNATURE, split, inert } from "./lines.mjs";

export const FORMAT = "edge-auth-audit/1";
const FORMAT_OF_HEADER = /^\{"format":"([^"\\]*)"/;

/**
 * Reads an object, and verifies it by the key in its own header: `{header, events, sha256}`.
 * @param {Uint8Array} bytes
 * @throws {LineFault}
 */
export function readObject(bytes) {
  const lines = split(bytes);
  const header = readHeader(lines);
  const { signature } = parse(lines.at(-1), lines.length, SIGNATURE);
  const events = lines.slice(1, -1).map((line, index) => parse(line, index + 2, EVENT));
  refuseDisorder(events);
  const above = bytes.subarray(0, bytes.length - lines.at(-1).length - 1);
  if (!isSignature(header.key, signedText(header.object, sha256(above)), signature)) {
    throw new LineFault(lines.length, "the signature does not fit the lines above it: a byte of the object was changed");
  }
  return { header, events, sha256: sha256(bytes) };
}

/** The header, once the object has as many lines as it says. */
function readHeader(lines) {
  const [, format] = FORMAT_OF_HEADER.exec(Buffer.from(lines[0]).toString("latin1")) ?? [];
  if (format !== undefined && format !== FORMAT) {
    throw new LineFault(1, `its format is ${inert(format)}, and this version reads ${FORMAT} only`);
  }
  const header = parse(lines[0], 1, HEADER);
  const between = lines.length - 2;
  if (header.events !== between) {
    const found = between < 0 ? "none, not even a signature" : `${between} between header and last line`;
    throw new LineFault(1, `the header says ${header.events} events, and the object has ${found}`);
  }
  return header;
}

function refuseDisorder(events) {
  for (const [index, event] of events.entries()) {
    const former = events[index - 1];
    if (former && (event.created_at - former.created_at || event.id - former.id) <= 0) {
      throw new LineFault(index + 2, "the event is not later than the one above it, by time and id");
    }
  }
}
