// In front of the product or of the floor: a record of each batch that goes to D1, as `[{sql, values}]`, where of a
// value only its kind is kept. `GET /__batches` hands the record over, and forgets it.
import Entry from "./entry.js";

// The other classes that wrangler.toml names.
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
