// The real database, but the answer to the first question of some requests is kept back until the test says so: what
// they were allowed by, or are about, may have changed when they go on. Nothing else of them is delayed.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

let held = [];

export default class extends Service {
  fetch(request) {
    if (new URL(request.url).pathname === "/__release") {
      held.forEach((release) => release());
      held = [];
      return new Response();
    }
    if (request.headers.get("X-Test-Hold")) {
      this.env = { ...this.env, DB: holding(this.env.DB) };
    }
    return super.fetch(request);
  }
}

function holding(real) {
  let questions = 0;
  const prepare = (sql) => real.prepare(sql);
  const batch = async (statements) => {
    questions += 1;
    const isFirst = questions === 1;
    const answer = await real.batch(statements);
    if (isFirst) {
      await untilReleased();
    }
    return answer;
  };
  return Object.create(real, { prepare: { value: prepare }, batch: { value: batch } });
}

async function untilReleased() {
  const { promise, resolve } = Promise.withResolvers();
  held.push(resolve);
  const timestamp = new Date().toISOString();
  console.log(JSON.stringify({ timestamp, level: "DEBUG", name: "app.runtime", message: "Answer held back" }));
  await promise;
}
