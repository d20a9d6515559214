// Concurrent requests over two isolates of one service, which share its database.

/** Runs all of them concurrently, each on a different isolate from the one before; returns their results in order. */
export function inParallel({ isolates }, operations) {
  return Promise.all(operations.map((operation, index) => operation(isolates[index % 2])));
}
