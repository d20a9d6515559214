// Draws docs/world.svg: the time of each operation in the regions far from the primary, one bar for each way of reading,
// with colours for light and dark mode.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { REGIONS } from "./regions.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const FILE = "docs/world.svg";
const WIDTH = 860;
const TOP = 64;
const ROW = 26;
const LABELS = 220;
const PANEL = 250;
const PANELS = [
  { left: LABELS, region: "replica", title: "A replica near by, ms" },
  { left: LABELS + PANEL + 70, region: "remote", title: "Far from both, ms" },
];
const MODES = { off: "read at the primary", on: "READ_REPLICATION = on" };

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; }
  .small { font-size: 11px; fill: #59636e; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .off { fill: #8c959f; } .on { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .off { fill: #656c76; } .on { fill: #4493f8; }
  }`;

const round = (number) => Math.round(number * 10) / 10;
const text = (x, y, content, attributes = "") => `<text x="${round(x)}" y="${round(y)}" ${attributes}>${content}</text>`;
const plain = (title) => title.replaceAll("`", "");

function panel({ left, region, title }, modes, results, titles) {
  const timesOf = (mode) => results[mode].regions[region].map(({ p50 }) => p50);
  const highest = Math.ceil(Math.max(...modes.flatMap(timesOf)) / 100) * 100;
  const x = (ms) => left + (ms / highest) * PANEL;
  const bottom = TOP + titles.length * ROW;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = round(x(share * highest));
    const line = `<line class="grid" x1="${at}" x2="${at}" y1="${TOP - 6}" y2="${bottom}"/>`;
    return line + text(at, bottom + 16, Math.round(share * highest), 'class="small" text-anchor="middle"');
  });
  const height = (ROW - 8) / modes.length;
  const bars = modes.flatMap((mode, place) => {
    return timesOf(mode).map((ms, index) => {
      const y = TOP + index * ROW + place * height;
      const bar = `<rect class="${mode}" x="${left}" y="${round(y)}" width="${round(x(ms) - left)}" height="${round(height - 1)}"/>`;
      return bar + text(x(ms) + 4, y + height / 2 + 4, Math.round(ms), 'class="small"');
    });
  });
  return [text(left, TOP - 16, title, 'class="title"'), ...grid, ...bars].join("\n");
}

/** Writes the picture and returns its path. */
export function drawWorld(titles, results) {
  const modes = Object.keys(MODES).filter((mode) => results[mode] !== undefined);
  const bottom = TOP + titles.length * ROW;
  const height = bottom + 48;
  const names = titles.map((title, index) => {
    return text(LABELS - 10, TOP + index * ROW + ROW / 2, plain(title), 'text-anchor="end"');
  });
  const legend = modes.map((mode, index) => {
    const left = LABELS + index * 190;
    return `<rect class="${mode}" x="${left}" y="10" width="12" height="12"/>` + text(left + 18, 21, MODES[mode]);
  });
  const [near, far] = PANELS.map(({ region }) => REGIONS[region]);
  const caption =
    `Round trips: the primary ${near.primary} ms, a replica ${near.east} (left); the primary ${far.primary} ms, a replica ${far.west} (right). ` +
    "Passwords are hardly hashed here.";
  const about = "Time of each operation far from the primary, with and without reads at replicas";
  const size = `viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${about}">
<style>${STYLE}
</style>
${[...legend, ...names, ...PANELS.map((one) => panel(one, modes, results, titles))].join("\n")}
${text(10, height - 8, caption, 'class="small"')}
</svg>
`;
  mkdirSync(join(ROOT, "docs"), { recursive: true });
  writeFileSync(join(ROOT, FILE), svg);
  return FILE;
}
