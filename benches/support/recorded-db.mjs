// A wrapper of the product or the floor that records each batch to D1 as `[{sql, values}]`. `GET /__batches` returns the
// record and clears it.
import Entry from "./entry.js";

// The other classes that wrangler.toml refers to.
export * from "./entry.js";

let batches = [];

function recorded(real) {
  const batch = (statements) => {
    batches.push(statements.map(({ statement, params }) => ({ sql: statement, values: params })));
    return real.batch(statements);
  };
  const prepare = (sql) => real.prepare(sql);
  return Object.create(real, { prepare: { value: prepare }, batch: { value: batch } });
}

export default class extends Entry {
  fetch(request) {
    if (request.url.endsWith("/__batches")) {
      const answer = Response.json(batches);
      batches = [];
      return answer;
    }
    this.env = { ...this.env, DB: recorded(this.env.DB) };
    return super.fetch(request);
  }
}
