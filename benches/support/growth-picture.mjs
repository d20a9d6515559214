// Draws docs/growth.svg: the cost of each operation over the number of users, on a logarithmic axis. It has two panels for
// login, refresh and me, and two for the second floor, one line per operation, and colours for light and dark mode.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const FILE = "docs/growth.svg";
const [WIDTH, HEIGHT] = [920, 600];
const PANEL = { width: 290, height: 210 };
const [FIRST_ROW, SECOND_ROW] = [42, 332];
const LABEL_HEIGHT = 16;
const cpu = (operation) => operation.cpu_seconds_per_1000;
const of = (member, titles) => (result) => result[member].filter(({ operation }) => titles.includes(operation));
const MAIN = of("operations", ["login", "refresh", "me"]);
const SIGN_INS = of("second_floor", ["register", "reset by mail", "app's code", "passkey", "provider", "invite"]);
const READS = of("second_floor", ["me, API key", "introspect", "users, a page", "events of a user"]);
const PANELS = [
  { left: 60, top: FIRST_ROW, title: "CPU of the server per request, ms", operations: MAIN, value: cpu },
  { left: 500, top: FIRST_ROW, title: "Time of a request (median), ms", operations: MAIN, value: ({ latency_ms: { p50 } }) => p50 },
  { left: 60, top: SECOND_ROW, title: "CPU of sign-ins, mails and invitations, ms", operations: SIGN_INS, value: cpu },
  { left: 500, top: SECOND_ROW, title: "CPU of machines and of lists, ms", operations: READS, value: cpu },
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
  .s3 { stroke: #8250df; } .d3, text.s3 { fill: #8250df; stroke: none; }
  .s4 { stroke: #bf3989; } .d4, text.s4 { fill: #bf3989; stroke: none; }
  .s5 { stroke: #57606a; } .d5, text.s5 { fill: #57606a; stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .s0 { stroke: #4493f8; } .d0, text.s0 { fill: #4493f8; }
    .s1 { stroke: #f0883e; } .d1, text.s1 { fill: #f0883e; }
    .s2 { stroke: #3fb950; } .d2, text.s2 { fill: #3fb950; }
    .s3 { stroke: #a371f7; } .d3, text.s3 { fill: #a371f7; }
    .s4 { stroke: #db61a2; } .d4, text.s4 { fill: #db61a2; }
    .s5 { stroke: #9198a1; } .d5, text.s5 { fill: #9198a1; }
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

function panel(results, { left, top, title, operations: shown, value }) {
  const sizes = results.map(({ users }) => users);
  const [first, last] = [Math.log10(sizes[0]), Math.log10(sizes.at(-1))];
  const highest = ceiling(Math.max(...results.flatMap((result) => shown(result).map(value))));
  const x = (users) => left + ((Math.log10(users) - first) / (last - first)) * PANEL.width;
  const y = (number) => top + PANEL.height * (1 - number / highest);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const [height, number] = [y(share * highest), round(share * highest * 100) / 100];
    const line = `<line class="grid" x1="${left}" x2="${left + PANEL.width}" y1="${height}" y2="${height}"/>`;
    return line + text(left - 8, height + 4, number, 'class="small" text-anchor="end"');
  });
  const ticks = sizes.map((users) => {
    return text(x(users), top + PANEL.height + 20, inWords(users), 'class="small" text-anchor="middle"');
  });
  const operations = shown(results[0]).map(({ operation }) => operation);
  const curves = operations.map((_, index) => {
    const points = results.map((result) => [x(result.users), y(value(shown(result)[index]))].map(round));
    const dots = points.map(([cx, cy]) => `<circle class="d${index}" cx="${cx}" cy="${cy}" r="3.5"/>`).join("");
    return `<polyline class="line s${index}" points="${points.map((point) => point.join(",")).join(" ")}"/>${dots}`;
  });
  const ends = operations.map((name, index) => {
    return { name, index, y: y(value(shown(results.at(-1))[index])) + 4 };
  });
  const labels = spread(ends).map((end) => {
    return text(left + PANEL.width + 10, end.y, end.name, `class="s${end.index}"`);
  });
  const heading = text(left, top - 18, title, 'class="title"');
  return [heading, ...grid, ...ticks, ...curves, ...labels].join("\n");
}

/** Writes the picture and returns its path. */
export function drawGrowth(results) {
  const about = "Cost of login, refresh, me and the second floor with a thousand to a million users";
  const caption =
    "Users, each with a session; half with factors, an identity and a key. Passwords are hardly hashed here: it is about the database.";
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
