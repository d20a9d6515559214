// A database that is nearly full, or full. A request's header says the size that D1 reports (`X-Test-Size`), or that every
// INSERT into `audit_events` finds no space (`X-Test-No-Space`).
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const FULL = "D1_ERROR: Exceeded maximum DB size";

export default class extends Service {
  fetch(request) {
    const [size, noSpace] = ["X-Test-Size", "X-Test-No-Space"].map((name) => request.headers.get(name));
    const real = this.env.DB;
    const texts = new Map();
    const noted = (statement, sql) => (texts.set(statement, sql), statement);
    const prepare = (sql) => ({ bind: (...values) => noted(real.prepare(sql).bind(...values), sql) });
    const batch = async (statements) => {
      if (noSpace && statements.some((statement) => texts.get(statement).includes("INSERT INTO audit_events"))) {
        throw new Error(FULL);
      }
      const results = await real.batch(statements);
      const meta = (result) => (size ? { ...result.meta, size_after: Number(size) } : result.meta);
      return results.map((result) => ({ ...result, meta: meta(result) }));
    };
    this.env = { ...this.env, DB: Object.create(real, { prepare: { value: prepare }, batch: { value: batch } }) };
    return super.fetch(request);
  }
}
