// The real database, and a record of the cost of each batch: the rows that D1 says it read and wrote, statement by
// statement, and the time. `GET /__batches` returns the record, and clears it.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

let batches = [];

/** The beginning of a statement, enough to identify it. */
const firstWords = (sql) => sql.trim().split(/\s+/).slice(0, 8).join(" ");

/**
 * Deployed, D1 is another machine, and the Worker answers requests while a clean-up waits for it. Here D1 lives in the
 * same process, which polls its sockets only when nothing else is ready. In a clean-up something always is, and
 * requests would wait for its end. A turn of the event loop before each of its batches makes up for that.
 */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

function counted(real, handler) {
  const batch = async (statements) => {
    if (handler === "scheduled") {
      await turn();
    }
    // The clock of a Worker advances when something arrives: the time between these two readings is the wait.
    const begun = Date.now();
    const results = await real.batch(statements);
    const ms = Date.now() - begun;
    const costs = results.map(({ meta }, index) => ({
      sql: firstWords(statements[index].statement),
      read: meta.rows_read,
      written: meta.rows_written,
    }));
    batches.push({ handler, ms, statements: costs });
    return results;
  };
  const prepare = (sql) => real.prepare(sql);
  return Object.create(real, { prepare: { value: prepare }, batch: { value: batch } });
}

export default class extends Service {
  fetch(request) {
    if (new URL(request.url).pathname === "/__batches") {
      const answer = Response.json(batches);
      batches = [];
      return answer;
    }
    this.env = { ...this.env, DB: counted(this.env.DB, "fetch") };
    return super.fetch(request);
  }

  scheduled(controller) {
    this.env = { ...this.env, DB: counted(this.env.DB, "scheduled") };
    return super.scheduled(controller);
  }
}
