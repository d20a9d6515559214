// The results as tables in Markdown, for PERFORMANCE.md. "off" and "on" is READ_REPLICATION; without "on" its columns are
// left out.

const ms = (number) => `${Math.round(number)}`;
const row = (cells) => `| ${cells.join(" | ")} |`;

function table(heading, rows) {
  return [row(heading), row(heading.map(() => "---")), ...rows.map(row)].join("\n");
}

/** Cells of a column, with each mode that was measured: `5 → 3`. */
const modes = ({ off, on }, cellOf) => [off, on].filter(Boolean).map(cellOf).join(" → ");
const both = ({ p50, p95 }) => `${ms(p50)} (${ms(p95)})`;

/** Round trips, and the time of a request in each region. */
export function warmTable(titles, results) {
  const rows = titles.map((title, index) => {
    const at = (region, cellOf) => modes(results, ({ regions }) => cellOf(regions[region][index]));
    const trips = ["far", "near"].map((kind) => at("replica", (one) => one[kind]));
    return [title, ...trips, ...["home", "replica", "remote"].map((region) => at(region, both))];
  });
  return table(["operation", "far", "near", "beside the primary", "near a replica", "far from both"], rows);
}

const answer = ({ status, ms: time }) => `${status}, ${ms(time)}`;

/** The first request of an isolate, and requests during a stall, near a replica. */
export function coldTable(titles, results) {
  const rows = titles.map((title, index) => [
    title,
    modes(results, ({ cold }) => ms(cold[index].ms)),
    modes(results, ({ stall }) => answer(stall.first[index])),
    modes(results, ({ stall }) => answer(stall.later[index])),
  ]);
  return table(["operation", "first of an isolate", "in a stall", "later in a stall"], rows);
}
