// Draws docs/growth.svg: the cost of each operation over the number of users, on a logarithmic axis. It has two panels,
// one line per operation, and colours for light and dark mode.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const FILE = "docs/growth.svg";
const [WIDTH, HEIGHT] = [860, 310];
const PANEL = { width: 300, height: 210, top: 42 };
const LABEL_HEIGHT = 16;
const PANELS = [
  { left: 60, title: "CPU of the server per request, ms", value: (operation) => operation.cpu_seconds_per_1000 },
  { left: 480, title: "Time of a request (median), ms", value: (operation) => operation.latency_ms.p50 },
];

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; }
  .small { font-size: 12px; fill: #59636e; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
  .s0 { stroke: #0969da; } .d0, text.s0 { fill: #0969da; stroke: none; }
  .s1 { stroke: #bc4c00; } .d1, text.s1 { fill: #bc4c00; stroke: none; }
  .s2 { stroke: #1a7f37; } .d2, text.s2 { fill: #1a7f37; stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .s0 { stroke: #4493f8; } .d0, text.s0 { fill: #4493f8; }
    .s1 { stroke: #f0883e; } .d1, text.s1 { fill: #f0883e; }
    .s2 { stroke: #3fb950; } .d2, text.s2 { fill: #3fb950; }
  }`;

const round = (number) => Math.round(number * 10) / 10;
const text = (x, y, content, attributes) => `<text x="${round(x)}" y="${round(y)}" ${attributes}>${content}</text>`;

/** 1000 → "1,000"; 1000000 → "1 million". */
const inWords = (users) => (users >= 1_000_000 ? `${users / 1_000_000} million` : users.toLocaleString("en"));

/** The next larger round number; its quarters are short numbers, too. */
function ceiling(number) {
  const power = 10 ** Math.floor(Math.log10(number));
  return [1, 2, 3, 4, 6, 8, 10].map((factor) => factor * power).find((candidate) => candidate >= number);
}

/** Moves overlapping labels apart, from the lowest upwards. */
function spread(labels) {
  const ordered = labels.toSorted((one, other) => other.y - one.y);
  ordered.forEach((label, index) => {
    label.y = index === 0 ? label.y : Math.min(label.y, ordered[index - 1].y - LABEL_HEIGHT);
  });
  return ordered;
}

function panel(results, { left, title, value }) {
  const sizes = results.map(({ users }) => users);
  const [first, last] = [Math.log10(sizes[0]), Math.log10(sizes.at(-1))];
  const highest = ceiling(Math.max(...results.flatMap(({ operations }) => operations.map(value))));
  const x = (users) => left + ((Math.log10(users) - first) / (last - first)) * PANEL.width;
  const y = (number) => PANEL.top + PANEL.height * (1 - number / highest);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const [height, number] = [y(share * highest), round(share * highest * 100) / 100];
    const line = `<line class="grid" x1="${left}" x2="${left + PANEL.width}" y1="${height}" y2="${height}"/>`;
    return line + text(left - 8, height + 4, number, 'class="small" text-anchor="end"');
  });
  const ticks = sizes.map((users) => {
    return text(x(users), PANEL.top + PANEL.height + 20, inWords(users), 'class="small" text-anchor="middle"');
  });
  const operations = results[0].operations.map(({ operation }) => operation);
  const curves = operations.map((_, index) => {
    const points = results.map((result) => [x(result.users), y(value(result.operations[index]))].map(round));
    const dots = points.map(([cx, cy]) => `<circle class="d${index}" cx="${cx}" cy="${cy}" r="3.5"/>`).join("");
    return `<polyline class="line s${index}" points="${points.map((point) => point.join(",")).join(" ")}"/>${dots}`;
  });
  const ends = operations.map((name, index) => {
    return { name, index, y: y(value(results.at(-1).operations[index])) + 4 };
  });
  const labels = spread(ends).map((end) => {
    return text(left + PANEL.width + 10, end.y, end.name, `class="s${end.index}"`);
  });
  const heading = text(left, PANEL.top - 18, title, 'class="title"');
  return [heading, ...grid, ...ticks, ...curves, ...labels].join("\n");
}

/** Writes the picture and returns its path. */
export function drawGrowth(results) {
  const about = "Cost of login, refresh and me with a thousand to a million users";
  const caption =
    "Users, each with a session and a refresh token. Passwords are hardly hashed here: it is about the database.";
  const size = `viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}"`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${about}">
<style>${STYLE}
</style>
${PANELS.map((one) => panel(results, one)).join("\n")}
${text(60, HEIGHT - 14, caption, 'class="small"')}
</svg>
`;
  mkdirSync(join(ROOT, "docs"), { recursive: true });
  writeFileSync(join(ROOT, FILE), svg);
  return FILE;
}
