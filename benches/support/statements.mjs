// The statements of the product as a module of the floor. The values stand where the product has them.

/** The batch as the source of a function of the database and the facts of a request. */
function functionOf(batch) {
  const statements = batch.map(({ sql, values }) => `    db.prepare(${JSON.stringify(sql)}).bind(${values.join(", ")}),`);
  return `(db, fact) => db.batch([\n${statements.join("\n")}\n  ])`;
}

/**
 * The source of a module that exports `BATCHES`: for each operation, by its id, a list of functions that run one batch
 * each.
 *
 * @param {Record<string, {batches: {sql: string, values: string[]}[][]}>} recording of `recording.mjs`
 */
export function statementsModule(recording) {
  const operations = Object.entries(recording).map(([id, { batches }]) => {
    return `  ${id}: [${batches.map(functionOf).join(", ")}],`;
  });
  return `export const BATCHES = {\n${operations.join("\n")}\n};\n`;
}
