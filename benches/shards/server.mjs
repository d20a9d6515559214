// Slices over HTTP, for the API tests that run natively: `POST /<name>` with statements as JSON, one object for each name.
// `?migrated` applies the migrations before the first use, `DELETE` empties an object. `GET` has the distinct batches that
// the port has sent so far (`?port`), each as a list of its statements.
import { Slice as Bare } from "./slice.js";

export class Slice extends Bare {
  /** Runs the migrations, each a list of statements, in one transaction. */
  migrate(migrations) {
    this.ctx.storage.transactionSync(() => {
      migrations.flat().forEach((sql) => this.ctx.storage.sql.exec(sql));
    });
  }
}

const batches = new Set();

/**
 * The SQL of a test, as an object takes it. It refuses temporary tables and triggers, so they become permanent ones; SQL that
 * ends in a comment, or is none; and the full check of integrity.
 */
function ofTest([sql, values]) {
  const all = sql.split("\n");
  const last = all.findLastIndex((line) => !/^\s*(--|$)/.test(line));
  const code = all.slice(0, last + 1).join("\n") || "SELECT NULL WHERE FALSE";
  return [code.replaceAll("CREATE TEMP ", "CREATE ").replace("integrity_check", "quick_check"), values];
}

async function answer(request, { SLICE, MIGRATIONS }) {
  const { pathname, search } = new URL(request.url);
  const slice = SLICE.getByName(pathname);
  if (request.method === "GET") {
    return [...batches].map((text) => JSON.parse(text));
  }
  if (request.method === "DELETE") {
    await slice.clear();
    return [];
  }
  if (search === "?migrated") {
    await slice.migrate(MIGRATIONS);
    return [];
  }
  const statements = await request.json();
  if (search !== "?port") {
    return (await slice.batch(statements.map(ofTest)))[1];
  }
  batches.add(JSON.stringify(statements.map(([sql]) => sql)));
  return (await slice.batch(statements))[1];
}

export default {
  async fetch(request, env) {
    try {
      return Response.json(await answer(request, env));
    } catch ({ message }) {
      return Response.json({ message });
    }
  },
};
