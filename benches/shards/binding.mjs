// A slice as the binding `DB`: the part of D1's interface that the service uses, carried by one RPC call for each batch.

/** @param {{batch: (statements: [string, unknown[]][]) => Promise<unknown>}} slice the stub of a Durable Object */
export function databaseOn(slice) {
  const statement = (sql, values) => ({ sql, values, bind: (...bound) => statement(sql, bound) });
  return {
    prepare: (sql) => statement(sql, []),
    async batch(statements) {
      const [size, rows, read, written] = await slice.batch(statements.map(({ sql, values }) => [sql, values]));
      const meta = { size_after: size, rows_read: read, rows_written: written };
      return rows.map((results) => ({ results, meta }));
    },
  };
}
