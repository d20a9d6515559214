// Slices over HTTP, for the API tests that run natively: `POST /<name>` with statements as JSON, one object for each name.
// `?migrated` applies the migrations before the first use, `DELETE` empties an object.
import { Slice as Bare } from "./slice.js";

export class Slice extends Bare {
  /** The migrations, each a list of statements, unless they were applied before. */
  migrate(migrations) {
    this.ctx.storage.transactionSync(() => {
      migrations.flat().forEach((sql) => this.ctx.storage.sql.exec(sql));
    });
  }
}

export default {
  async fetch(request, { SLICE, MIGRATIONS }) {
    const { pathname, search } = new URL(request.url);
    const slice = SLICE.getByName(pathname);
    try {
      if (request.method === "DELETE") {
        await slice.clear();
        return new Response(null, { status: 204 });
      }
      if (search === "?migrated") {
        await slice.migrate(MIGRATIONS);
        return Response.json([]);
      }
      const [, rows] = await slice.batch(await request.json());
      return Response.json(rows);
    } catch ({ message }) {
      return Response.json({ message });
    }
  },
};
