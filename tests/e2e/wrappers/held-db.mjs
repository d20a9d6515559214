// As `panicking-db.mjs`; a database whose `prepare` throws; and a database that performs its calls but holds back its answers to some requests
// until another request releases them: all of them, or one by its number (`X-Test-Hold-Only: 1` is the first). So
// there are requests in flight when a panic happens, and others that are overtaken between a read and a write.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const message = { get length() { throw new Error("unreadable answer"); } };
let held = [];

export default class extends Service {
  fetch(request) {
    const { headers } = request;
    if (headers.get("X-Test-Release")) {
      held.forEach((release) => release());
      held = [];
    }
    const real = this.env.DB;
    const prepare = { value: (sql) => real.prepare(sql) };
    if (headers.get("X-Test-Panic")) {
      const batch = { value: () => Promise.reject({ message }) };
      this.env = { ...this.env, DB: Object.create(real, { prepare, batch }) };
    }
    if (headers.get("X-Test-Throw")) {
      const throwing = { value() { throw new Error("prepare failed"); } };
      this.env = { ...this.env, DB: Object.create(real, { prepare: throwing }) };
    }
    if (headers.get("X-Test-Hold")) {
      const only = Number(headers.get("X-Test-Hold-Only") ?? Infinity);
      let batches = 0;
      const batch = {
        value(statements) {
          batches += 1;
          return only === Infinity || only === batches ? hold(real.batch(statements)) : real.batch(statements);
        },
      };
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
