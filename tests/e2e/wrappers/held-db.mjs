// As `panicking-db.mjs`, and a database that does what it is asked but keeps its answers to some requests back
// until another request releases them: so there are requests in flight when a panic happens, for certain.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

let held = [];

export default class extends Service {
  fetch(request) {
    const { headers } = request;
    if (headers.get("X-Test-Release")) {
      held.forEach((release) => release());
      held = [];
    }
    const real = this.env.DB;
    if (headers.get("X-Test-Panic")) {
      const prepare = { value() { throw new Error("prepare failed"); } };
      this.env = { ...this.env, DB: Object.create(real, { prepare }) };
    }
    if (headers.get("X-Test-Hold")) {
      const prepare = { value: (sql) => real.prepare(sql) };
      const batch = { value: (statements) => hold(real.batch(statements)) };
      this.env = { ...this.env, DB: Object.create(real, { prepare, batch }) };
    }
    return super.fetch(request);
  }
}

async function hold(answer) {
  const result = await answer;
  const { promise, resolve } = Promise.withResolvers();
  held.push(resolve);
  const timestamp = new Date().toISOString();
  console.log(JSON.stringify({ timestamp, level: "DEBUG", name: "app.runtime", message: "Answer held back" }));
  await promise;
  return result;
}
