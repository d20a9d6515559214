// Reads a file line by line: NDJSON. Lines end with LF or CRLF; empty ones are skipped, and counted.
import { decoded, Entry, pieces } from "./bytes.mjs";

const LINE_FEED = 10;

/** Yields `{line, text}`, or `{line, code}` for a line that cannot be read. */
export async function* lines(path, seen) {
  const entry = new Entry();
  let line = 1;
  for await (const piece of pieces(path, seen)) {
    let start = 0;
    for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, start)) {
      entry.add(piece.subarray(start, end));
      yield* finished(entry, line);
      entry.clear();
      line += 1;
      start = end + 1;
    }
    entry.add(piece.subarray(start));
  }
  yield* finished(entry, line);
}

function* finished(entry, line) {
  if (entry.isTooLong) {
    yield { line, code: "line_too_long" };
    return;
  }
  const text = decoded(entry.view())?.trim();
  if (text === undefined) {
    yield { line, code: "not_utf8" };
  } else if (text !== "") {
    yield { line, text };
  }
}
