// D1's own interface over HTTP: `POST /__d1` with `{session, batches}`, where a session is a bookmark or a constraint, and
// null is the database without one. Each batch is a list of `{sql, values}`. The answer has the bookmark before the first
// batch and, for each, `{results, bookmark}` or `{message}`.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

async function answered(database, batch) {
  try {
    const results = await database.batch(batch.map(({ sql, values }) => database.prepare(sql).bind(...values)));
    return { results, bookmark: database.getBookmark?.() };
  } catch ({ message }) {
    return { message };
  }
}

export default class extends Service {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/__d1") {
      return super.fetch(request);
    }
    const { session, batches } = await request.json();
    const database = session === null ? this.env.DB : this.env.DB.withSession(session);
    const before = database.getBookmark?.();
    const answers = [];
    for (const batch of batches) {
      answers.push(await answered(database, batch));
    }
    return Response.json({ before, answers });
  }
}
