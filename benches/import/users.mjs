// `make bench-import`, first part: a million users in requests of 500 lines, one after another as `make import` sends them,
// into an empty local D1, and the same million again. SIZE= is another number of users. Writes two tables, and
// dist/bench-import.json.
//
// The database lies on disk. Beside the import another client asks for `GET /users/me` twenty times a second. The hashes are
// well-formed bcrypt texts of no password, since an import verifies none. Rows are those that D1 reports.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { me } from "../../tests/e2e/support/client.mjs";
import { cpuSeconds } from "../support/cpu.mjs";
import { circumstances, inWords } from "../support/machine.mjs";
import { save } from "../support/results.mjs";
import { growthOf, sizesOf } from "../support/sizes.mjs";
import { percentile } from "../support/statistics.mjs";
import { lines } from "../support/table.mjs";
import { productModules, startTarget } from "../support/targets.mjs";
import { anyBcrypt, importLines, newImporter, renewed } from "./importer.mjs";

const SIZE = Number(process.env.SIZE || 1_000_000);
const CHUNK = 500;
/** Lines between two lines of the table. */
const STEP = Math.min(100_000, SIZE);
const QUIET_REQUESTS = 400;
const PAUSE_MS = 50;
/** Another hash for each user would take longer to make than to import. */
const HASHES = Array.from({ length: 10_000 }, () => anyBcrypt(12));
const FIRST = Date.parse("2020-01-01T00:00:00Z");

/** In the order of the old ids the addresses have no order, as in a real file. */
const scattered = (number) => ((number * 2_654_435_761) % 2 ** 32).toString(36);

const user = (number) => ({
  external_id: String(number),
  email: `${scattered(number)}.${number}@students.example.com`,
  email_verified: true,
  full_name: `Person ${number}`,
  password_hash: HASHES[number % HASHES.length],
  created_at: new Date(FIRST + number * 1000).toISOString(),
  is_active: number % 50 !== 0,
});

/** Without files that are mapped into the memory. */
const residentMib = (pid) => Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks for the own account, twenty times a second at most: `take()` returns the milliseconds since the last call. */
class Neighbour {
  #latencies = [];
  #isOver = false;

  constructor(target, token) {
    Object.assign(this, { target, token });
  }

  async ask() {
    const begun = performance.now();
    const { status } = await me(this.target, renewed(this.token));
    if (status !== 200) {
      throw new Error(`/users/me: ${status}`);
    }
    this.#latencies.push(performance.now() - begun);
    await pause(PAUSE_MS);
  }

  run() {
    const asking = async () => {
      while (!this.#isOver) {
        await this.ask();
      }
    };
    this.over = asking();
  }

  take() {
    return this.#latencies.splice(0);
  }

  async end() {
    this.#isOver = true;
    await this.over;
  }
}

async function sums(target) {
  return (await fetch(`${target.origin}/__d1`)).json();
}

/** Imports all users: a row for each STEP. */
async function importAll(target, key, neighbour, outcome) {
  const steps = [];
  await sums(target);
  for (let begin = 0; begin < SIZE; begin += STEP) {
    const end = Math.min(begin + STEP, SIZE);
    const [cpu, begun] = [cpuSeconds(target.pid), performance.now()];
    neighbour.take();
    for (let at = begin; at < end; at += CHUNK) {
      const chunk = Array.from({ length: Math.min(CHUNK, end - at) }, (_, index) => user(at + index + 1));
      const found = await importLines(target, key, chunk);
      if (found[outcome] !== chunk.length) {
        throw new Error(`${JSON.stringify(found)}, where ${outcome} was expected`);
      }
    }
    const [seconds, count, latencies] = [(performance.now() - begun) / 1000, end - begin, neighbour.take()];
    const { calls, read, written, wasm } = await sums(target);
    steps.push({
      lines: end,
      lines_per_second: count / seconds,
      cpu_ms_per_line: ((cpuSeconds(target.pid) - cpu) / count) * 1000,
      d1_calls_per_1000: (calls / count) * 1000,
      rows_read_per_line: read / count,
      rows_written_per_line: written / count,
      resident_mib: residentMib(target.pid),
      wasm_mib: wasm / 2 ** 20,
      me_ms: { requests: latencies.length, p50: percentile(latencies, 0.5), p95: percentile(latencies, 0.95) },
    });
    process.stderr.write(`${outcome}: ${end} of ${SIZE}\n`);
  }
  return steps;
}

function tableOf(steps) {
  const heading = ["lines", "lines/s", "CPU", "D1 calls", "read", "written", "MiB", "Wasm", "me p50", "me p95"];
  const rows = steps.map((step) => [
    step.lines.toLocaleString("en"),
    step.lines_per_second,
    step.cpu_ms_per_line,
    step.d1_calls_per_1000,
    step.rows_read_per_line,
    step.rows_written_per_line,
    step.resident_mib,
    step.wasm_mib,
    step.me_ms.p50,
    step.me_ms.p95,
  ]);
  return lines([heading, ...rows], []);
}

const state = mkdtempSync(join(tmpdir(), "edge-auth-import-"));
process.once("exit", () => rmSync(state, { recursive: true, force: true }));
const around = circumstances();
const target = await startTarget(productModules("benches/import/counted-db.mjs"), { state, settings: { PASSWORD_ITERATIONS: "600000" } });
const begun = performance.now();
let results;
try {
  const { key, admin } = await newImporter(target);
  const neighbour = new Neighbour(target, admin.access);
  for (let request = 0; request < QUIET_REQUESTS; request += 1) {
    await neighbour.ask();
  }
  const quiet = neighbour.take();
  const before = { resident_mib: residentMib(target.pid), p50: percentile(quiet, 0.5), p95: percentile(quiet, 0.95) };
  neighbour.run();
  const created = await importAll(target, key, neighbour, "created");
  const again = await importAll(target, key, neighbour, "exists");
  await neighbour.end();
  results = { before, created, again };
} finally {
  await target.stop();
}
// The few rows of the importer do not count beside those of the users.
const bytes = growthOf({}, sizesOf(state), SIZE);
const total = Object.values(bytes).reduce((sum, each) => sum + each, 0);
const file = save("bench-import.json", { ...around, size: SIZE, ...results, bytes_per_user: bytes });
const large = Object.entries(bytes).filter(([, each]) => each >= 1).map(([name, each]) => `${name} ${each.toFixed(0)}`);
const { before } = results;
console.log(`
${inWords(around).join("\n")}

New users, ${CHUNK} in a request:
${tableOf(results.created).join("\n")}

The same users again:
${tableOf(results.again).join("\n")}

CPU: milliseconds of the workerd process for a line, its D1 and the other client included. D1 calls: for 1,000 lines. Rows: for a line.
MiB: the resident memory of workerd, ${before.resident_mib.toFixed(0)} before the import, and the memory of the Wasm module in it. Latency of GET /users/me beside the import, in ms;
before it p50 ${before.p50.toFixed(2)}, p95 ${before.p95.toFixed(2)}. Bytes of the database for a user: ${total.toFixed(0)} (${large.join(", ")}).
${((performance.now() - begun) / 1000).toFixed(0)} s; ${file}`);
