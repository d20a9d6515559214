// A wrapper of a Worker that records each batch to D1 as `[{sql, values}]`. `GET /__batches` returns the record and
// clears it.
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

const environment = (env) => ({ ...env, DB: recorded(env.DB) });

/** The record if the request asks for it, else the answer of the Worker. */
function answer(request, otherwise) {
  if (!request.url.endsWith("/__batches")) {
    return otherwise();
  }
  const response = Response.json(batches);
  batches = [];
  return response;
}

const ofObject = {
  ...Entry,
  fetch: (request, env, context) => answer(request, () => Entry.fetch(request, environment(env), context)),
};

const ofClass = () =>
  class extends Entry {
    fetch(request) {
      return answer(request, () => {
        this.env = environment(this.env);
        return super.fetch(request);
      });
    }
  };

export default typeof Entry === "function" ? ofClass() : ofObject;
