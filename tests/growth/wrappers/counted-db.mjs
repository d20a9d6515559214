// The real database, and a record of what each batch cost: the rows that D1 says it read and wrote, statement by
// statement, and the time. `GET /__batches` hands the record over, and forgets it.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

let batches = [];

/** As much of a statement as names it. */
const firstWords = (sql) => sql.trim().split(/\s+/).slice(0, 8).join(" ");

/**
 * Deployed, D1 is another machine, and while a clean-up waits for it the Worker answers requests. Here D1 lives in the
 * same process, which looks at its sockets only when nothing else is ready; in a clean-up something always is, and
 * requests would wait for its end. A turn of the event loop before each of its batches makes up for that.
 */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

function counted(real, handler) {
  const batch = async (statements) => {
    if (handler === "scheduled") {
      await turn();
    }
    // The clock of a Worker moves when something arrives: what lies between these two looks is the waiting.
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
