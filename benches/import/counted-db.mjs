// A wrapper of the Worker that adds up the D1 calls of imports, and the rows that D1 says it read and wrote. `GET /__d1`
// returns the sums and begins again; it also has the size of the WebAssembly memory in bytes. Instantiation passes through
// here, so this must run before the service is loaded.
let memory;
WebAssembly.Instance = class extends WebAssembly.Instance {
  constructor(...given) {
    super(...given);
    memory = this.exports.memory;
  }
};

const service = await import("./entry.js");

// The other class that wrangler.toml names.
export const { CircuitBreaker } = service;

const zero = () => ({ calls: 0, read: 0, written: 0 });
let sums = zero();

function counted(real) {
  const batch = async (statements) => {
    const results = await real.batch(statements);
    sums.calls += 1;
    for (const { meta } of results) {
      sums.read += meta.rows_read;
      sums.written += meta.rows_written;
    }
    return results;
  };
  const prepare = (sql) => real.prepare(sql);
  return Object.create(real, { prepare: { value: prepare }, batch: { value: batch } });
}

export default class extends service.default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/__d1") {
      const answer = Response.json({ ...sums, wasm: memory.buffer.byteLength });
      sums = zero();
      return answer;
    }
    if (pathname === "/admin/users/import") {
      this.env = { ...this.env, DB: counted(this.env.DB) };
    }
    return super.fetch(request);
  }
}
