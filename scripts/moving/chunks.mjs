// Packs the items of a source into chunks that the service takes in one request.

/** The service's limits of a request: lines, and bytes (less than 1 MiB). */
const MAX_LINES = 500;
const MAX_BYTES = 1_000_000;

/**
 * Yields lists of items behind the first `skipped`. Refusals have no text, and so no bytes; they count as lines, so that a chunk
 * stays small.
 */
export async function* chunks(items, skipped = 0) {
  let chunk = [];
  let bytes = 0;
  let position = 0;
  for await (const item of items) {
    position += 1;
    if (position <= skipped) {
      continue;
    }
    const length = item.text === undefined ? 0 : Buffer.byteLength(item.text) + 1;
    if (chunk.length === MAX_LINES || bytes + length > MAX_BYTES) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push(item);
    bytes += length;
  }
  if (chunk.length > 0) {
    yield chunk;
  }
}
