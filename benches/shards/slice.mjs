// A slice: a Durable Object whose SQLite has the whole schema. It answers batches, each in one transaction, as D1 does.
//
// It is a prototype for docs/scale.md, and no deployment contains it. It knows no statement: the guards of a batch are in
// its SQL, so they hold here as they hold in D1.
import { DurableObject } from "cloudflare:workers";

export class Slice extends DurableObject {
  #sql = this.ctx.storage.sql;

  /**
   * Runs statements, each as `[sql, values]`, all or none.
   * @returns {[number, object[][], number, number]} the size of the database, the rows of each statement, and the rows
   *   read and written. A failed statement rejects with SQLite's message, without D1's prefix.
   */
  batch(statements) {
    let [read, written] = [0, 0];
    const rows = this.ctx.storage.transactionSync(() => {
      return statements.map(([sql, values]) => {
        const cursor = this.#sql.exec(sql, ...values);
        const found = cursor.toArray();
        read += cursor.rowsRead;
        written += cursor.rowsWritten;
        return found;
      });
    });
    return [this.#sql.databaseSize, rows, read, written];
  }

  /** Empties the object. */
  clear() {
    return this.ctx.storage.deleteAll();
  }
}
