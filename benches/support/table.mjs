// Text tables of the benchmarks: aligned columns, numbers on the right.

/** About three significant digits. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) {
    return "–";
  }
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toFixed(digits);
}

/** Formats rows of cells as lines; the first row is the heading. Columns in `left` are left-aligned. */
export function lines(rows, left = [0]) {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === "number" ? number(cell) : String(cell))));
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) => {
    const padded = row.map((cell, column) => {
      return left.includes(column) ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
    });
    return padded.join("  ").trimEnd();
  });
}
