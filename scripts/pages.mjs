// Reads lists that may be too long for one call of wrangler, whose output ends at 64 MiB (database.mjs).

/**
 * The rows of each list, in the order of its ids. The first call reads one page of every list, and the next ones go on with the lists that
 * filled theirs. So rows that change in between are read at different moments.
 *
 * @param {Function} ask runs statements, and returns the rows of each, as `query` does
 * @param {object[]} lists
 * @param {string} lists[].select a SELECT without order and limit
 * @param {string} [lists[].by] a column of numbers, different in each row; without it the list is short, and read at once
 * @param {number} [lists[].size] rows of a page
 */
export function readPaged(ask, lists) {
  const readings = lists.map((list) => ({ ...list, rows: [] }));
  for (let open = readings; open.length > 0; ) {
    const pages = ask(open.map(nextPage).join(";\n"));
    open.forEach(({ rows }, index) => pages[index].forEach((row) => rows.push(row)));
    open = open.filter(({ by, size }, index) => by !== undefined && pages[index].length === size);
  }
  return readings.map(({ rows }) => rows);
}

function nextPage({ select, by, size, rows }) {
  if (by === undefined) {
    return select;
  }
  const after = rows.length === 0 ? -1 : rows.at(-1)[by];
  return `SELECT * FROM (${select}) WHERE ${by} > ${after} ORDER BY ${by} LIMIT ${size}`;
}
