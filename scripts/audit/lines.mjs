// The lines of an object (docs/audit.md): each is compact JSON with exactly the members of its kind, in their order. Two texts for
// the same value would be two readings of one signature, so every other text is refused.

/** A line that breaks the format: its number from 1, and the reason. */
export class LineFault extends Error {
  constructor(line, reason) {
    super(reason);
    this.line = line;
  }
}

const LINE_FEED = 10;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const integer = (value) => Number.isSafeInteger(value);
const natural = (value) => integer(value) && value >= 0;
const text = (value) => typeof value === "string";
const orNull = (isValid) => (value) => value === null || isValid(value);
const digest = (value) => text(value) && /^[0-9a-f]{64}$/.test(value);
const base64url = (value) => text(value) && /^[\w-]+$/.test(value);

/** The public key in a header: an Ed25519 key of 32 bytes. */
const KEY = { crv: (value) => value === "Ed25519", kty: (value) => value === "OKP", x: (value) => isBase64url(value, 32) };
const key = (value) => faultOf(value, KEY) === undefined;

export const HEADER = {
  format: text,
  object: (value) => natural(value) && value > 0,
  first: (value) => natural(value) && value > 0,
  previous: digest,
  key,
  made_at: integer,
  events: natural,
  total: natural,
};
export const EVENT = {
  id: integer,
  created_at: integer,
  type: text,
  reason: orNull(text),
  count: natural,
  last_at: integer,
  user_id: orNull(integer),
  session_id: orNull(integer),
  actor_id: orNull(integer),
  university_id: orNull(integer),
  object_id: orNull(integer),
  personal: orNull(base64url),
};
export const SIGNATURE = { signature: (value) => isBase64url(value, 64) };

/** Is it the one base64url text of so many bytes? */
function isBase64url(value, bytes) {
  if (!base64url(value)) {
    return false;
  }
  const read = Buffer.from(value, "base64url");
  return read.length === bytes && read.toString("base64url") === value;
}

/** A text of an object, without characters that a terminal obeys, and at most 400 characters. */
export const inert = (text) => JSON.stringify(text).slice(1, -1).replace(/[\u007f-\u009f]/g, "?").slice(0, 400);

/** Why the value does not have exactly these members; `undefined` if it has. */
function faultOf(value, shape) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return "it is no JSON object";
  }
  const [found, wanted] = [Object.keys(value).join(", "), Object.keys(shape).join(", ")];
  if (found !== wanted) {
    return `its members are ${inert(found) || "none"}, and must be ${wanted}`;
  }
  const wrong = Object.keys(shape).find((name) => !shape[name](value[name]));
  return wrong === undefined ? undefined : `the value of ${wrong} is not valid`;
}

/** The lines of an object, each without its line feed. The last one must have a line feed, too. */
export function split(bytes) {
  const lines = [];
  let start = 0;
  for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  if (bytes.length === 0) {
    throw new LineFault(1, "the object is empty");
  }
  if (start < bytes.length) {
    throw new LineFault(lines.length + 1, "the line has no end: the object is cut off");
  }
  return lines;
}

/** The value of a line. `number` counts from 1. */
export function parse(line, number, shape) {
  const value = parsed(line, number);
  const fault = faultOf(value, shape);
  if (fault !== undefined) {
    throw new LineFault(number, fault);
  }
  return value;
}

function parsed(line, number) {
  let read;
  let value;
  try {
    read = decoder.decode(line);
  } catch {
    throw new LineFault(number, "it is not UTF-8");
  }
  try {
    value = JSON.parse(read);
  } catch {
    throw new LineFault(number, "it is not JSON");
  }
  if (JSON.stringify(value) !== read) {
    throw new LineFault(number, "its JSON is not compact, or has a member twice");
  }
  return value;
}
