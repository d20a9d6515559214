// The bytes of each table in the file of a stopped database, its indexes included.
import { withStored } from "../../tests/growth/support/stored.mjs";

/** With fewer rows, half-filled pages count for too much. */
const MANY = 1000;

const SIZES = `
  SELECT m.tbl_name AS name, sum(d.pgsize) AS bytes
  FROM dbstat AS d JOIN sqlite_master AS m ON m.name = d.name
  WHERE d.aggregate = TRUE GROUP BY m.tbl_name`;

/** Whole pages, as D1 counts them: `{table: bytes}`. */
export function sizesOf(folder) {
  return withStored(folder, (db) => {
    return Object.fromEntries(db.prepare(SIZES).all().map(({ name, bytes }) => [name, bytes]));
  });
}

/** The growth between two measurements per each of `count` operations; tables without change are left out. */
export function growthOf(before, after, count) {
  const added = Object.entries(after).map(([name, bytes]) => [name, (bytes - (before[name] ?? 0)) / count]);
  return Object.fromEntries(added.filter(([, bytes]) => bytes !== 0));
}

/** Bytes for each row of each table that has many, its indexes included: `{table: bytes}`. */
export function bytesPerRow(folder) {
  const sizes = sizesOf(folder);
  return withStored(folder, (db) => {
    const counted = Object.keys(sizes).map((table) => [table, db.prepare(`SELECT count(*) AS rows FROM "${table}"`).get().rows]);
    return Object.fromEntries(counted.filter(([, rows]) => rows >= MANY).map(([table, rows]) => [table, sizes[table] / rows]));
  });
}
