// An unreachable database, as D1 shows it: it does not answer, or it rejects. Only requests with a header get it.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const BATCH = {
  silent: () => new Promise(() => {}),
  lost: () => Promise.reject(new Error("D1_ERROR: Network connection lost.")),
};

export default class extends Service {
  fetch(request) {
    const batch = BATCH[request.headers.get("X-Test-Database")];
    if (batch) {
      const real = this.env.DB;
      const prepare = { value: (sql) => real.prepare(sql) };
      this.env = { ...this.env, DB: Object.create(real, { prepare, batch: { value: batch } }) };
    }
    return super.fetch(request);
  }
}
