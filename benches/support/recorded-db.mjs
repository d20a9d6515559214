// A wrapper of the product or the floor that records each batch to D1 as `[{sql, values}]`; of a value it records only
// the type. `GET /__batches` returns the record and clears it.
import Entry from "./entry.js";

// The other classes that wrangler.toml refers to.
export * from "./entry.js";

let batches = [];

const kindOf = (value) => (value === null ? "null" : typeof value);

function recorded(real) {
  const batch = (statements) => {
    batches.push(statements.map(({ statement, params }) => ({ sql: statement, values: params.map(kindOf) })));
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
