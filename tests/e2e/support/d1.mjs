// The database without the service: a Worker of the tests' own, beside those of the service, with the same D1 binding.
//
// Miniflare has its own access to bindings, but each of its calls blocks this process. A service that has
// logged more in that time than a pipe holds waits for this process: a deadlock. Here no call blocks.
import { request } from "node:http";

/** The name of that Worker. */
export const NAME = "database-of-the-tests";

const SCRIPT = `
export default {
  async fetch(request, { DB }) {
    const statements = await request.json();
    try {
      const results = await DB.batch(statements.map(({ sql, values }) => DB.prepare(sql).bind(...values)));
      return Response.json({ results });
    } catch ({ message }) {
      return Response.json({ message });
    }
  },
};`;

/** The Worker, for Miniflare: at an address of its own, with the database of this other one. */
export function databaseWorker({ d1Databases, compatibilityDate }) {
  const unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
  return { name: NAME, modules: true, script: SCRIPT, compatibilityDate, d1Databases, unsafeDirectSockets };
}

/** As much of D1's own interface as the tests need. A statement may be sent any number of times. */
export class Database {
  /** @param {URL} url where the Worker answers */
  constructor(url) {
    this.url = url;
  }

  prepare(sql) {
    return new Statement(this, sql, []);
  }

  /** All of them or none; returns their results in this order. */
  async batch(statements) {
    const body = JSON.stringify(statements.map(({ sql, values }) => ({ sql, values })));
    const { results, message } = JSON.parse(await posted(this.url, body));
    if (!results) {
      throw new Error(message);
    }
    return results;
  }
}

class Statement {
  constructor(db, sql, values) {
    Object.assign(this, { db, sql, values });
  }

  bind(...values) {
    return new Statement(this.db, this.sql, values);
  }

  /** `{results: [rows], meta}` */
  async all() {
    const [result] = await this.db.batch([this]);
    return result;
  }

  run() {
    return this.all();
  }
}

function posted(url, body) {
  return new Promise((resolve, reject) => {
    const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
    const outgoing = request(url, { method: "POST", headers }, (incoming) => {
      const chunks = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
