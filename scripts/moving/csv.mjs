// Reads CSV (RFC 4180) with a header: fields with commas between, quotes doubled within quotes, lines with LF or CRLF.
import { decoded, Entry, pieces } from "./bytes.mjs";
import { ImportFailure } from "./failure.mjs";

const [QUOTE, COMMA, LINE_FEED, RETURN] = [...'",\n\r'].map((letter) => letter.charCodeAt(0));
/** The places that a byte may be in. */
const [START, PLAIN, QUOTED, CLOSED] = [0, 1, 2, 3];

/** Yields the fields of each record, `{line, fields}`, or `{line, code}`. `line` is the one that the record begins on. */
export async function* records(path, seen) {
  const record = new Record();
  for await (const piece of pieces(path, seen)) {
    for (const byte of piece) {
      if (record.take(byte)) {
        yield* record.finish();
      }
    }
  }
  yield* record.finish();
}

class Record {
  #entry = new Entry();
  #ends = [];
  #place = START;
  #isMalformed = false;
  #begun = 1;
  #line = 1;

  /** Takes a byte. True if it ended the record. */
  take(byte) {
    this.#line += byte === LINE_FEED ? 1 : 0;
    if (this.#place === QUOTED) {
      this.#takeQuoted(byte);
      return false;
    }
    if (byte === LINE_FEED) {
      return true;
    }
    if (byte === COMMA) {
      this.#endField();
    } else if (byte === QUOTE) {
      this.#takeQuote();
    } else if (byte !== RETURN) {
      // Text behind a closing quote belongs to no field.
      this.#isMalformed ||= this.#place === CLOSED;
      this.#place = PLAIN;
      this.#entry.push(byte);
    }
    return false;
  }

  #takeQuoted(byte) {
    if (byte === QUOTE) {
      this.#place = CLOSED;
    } else {
      this.#entry.push(byte);
    }
  }

  #takeQuote() {
    // A quote opens a field, or is the second one of a pair.
    this.#isMalformed ||= this.#place === PLAIN;
    if (this.#place === CLOSED) {
      this.#entry.push(QUOTE);
    }
    this.#place = this.#place === PLAIN ? PLAIN : QUOTED;
  }

  #endField() {
    this.#ends.push(this.#entry.length);
    this.#place = START;
  }

  *finish() {
    const isEmpty = this.#ends.length === 0 && this.#entry.length === 0 && this.#place === START;
    const isOpen = this.#place === QUOTED;
    this.#endField();
    const line = this.#begun;
    if (this.#entry.isTooLong) {
      yield { line, code: "line_too_long" };
    } else if (isOpen || this.#isMalformed) {
      yield { line, code: "csv_malformed" };
    } else if (!isEmpty) {
      const fields = this.#ends.map((end, index) => decoded(this.#entry.view(this.#ends[index - 1] ?? 0, end)));
      yield fields.includes(undefined) ? { line, code: "not_utf8" } : { line, fields };
    }
    this.#entry.clear();
    this.#ends = [];
    this.#isMalformed = false;
    this.#begun = this.#line;
  }
}

/** Yields `{line, record}` with the fields by the names of the header, or `{line, code}`. */
export async function* rowsOfCsv(path, seen) {
  let names;
  for await (const { line, fields, code } of records(path, seen)) {
    if (names === undefined) {
      names = headerOf(fields, code);
    } else if (fields && fields.length !== names.length) {
      yield { line, code: "csv_wrong_fields" };
    } else {
      yield fields ? { line, record: Object.fromEntries(fields.map((field, index) => [names[index], field])) } : { line, code };
    }
  }
}

function headerOf(fields, code) {
  if (code) {
    throw new ImportFailure(`The header of the CSV file cannot be read: ${code}.`);
  }
  const names = fields.map((name) => name.trim());
  if (names.length === 1 && /[;\t]/.test(names[0])) {
    throw new ImportFailure("The CSV file has no commas: write it with commas between the fields (RFC 4180).");
  }
  if (new Set(names).size !== names.length) {
    throw new ImportFailure("The header of the CSV file names a column twice.");
  }
  return names;
}
