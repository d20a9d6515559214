// Runs test files and targets of the Makefile in parallel, each test file in its own process, as many as there are
// processor cores. `node scripts/test.mjs [lint,test-rust …] tests/e2e …`: folders of test files, and targets of make;
// targets joined by a comma run one after another. The output of a job is printed when the job ends. The slowest jobs
// and the sum of all tests follow at the end. If a job fails, the exit code is 1.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";

/**
 * Files that differ from `USUAL`. `cores`: the processor cores that a job uses, less than one if it mostly waits.
 * `seconds`: its duration; long jobs start early, so that none runs alone at the end. `isMeasuring`: the job measures
 * times, so only waiting jobs may run beside it.
 */
const SPECIAL = {
  "tests/e2e/attacks-timing-argon2id.test.mjs": { seconds: 90, isMeasuring: true },
  "tests/e2e/attacks-timing.test.mjs": { seconds: 80, isMeasuring: true },
  "tests/contract/schemathesis.test.mjs": { seconds: 150 },
  "tests/examples/resource-servers.test.mjs": { seconds: 40 },
  "tests/growth/growth.test.mjs": { seconds: 110 },
  "tests/pages/account.test.mjs": { seconds: 40 },
  "tests/pages/account-data.test.mjs": { seconds: 40 },
  "tests/pages/account-failures.test.mjs": { seconds: 40 },
  "tests/pages/account-races.test.mjs": { seconds: 60 },
  "tests/pages/account-secrets.test.mjs": { seconds: 50 },
  "tests/pages/account-security.test.mjs": { seconds: 40 },
  "tests/pages/account-sign-in.test.mjs": { seconds: 40 },
  "tests/pages/console-looks.test.mjs": { seconds: 60 },
  "tests/pages/console-overview.test.mjs": { seconds: 40 },
  "tests/pages/console-universities.test.mjs": { seconds: 50 },
  "tests/pages/console-secrets.test.mjs": { seconds: 35 },
  "tests/pages/console-users.test.mjs": { seconds: 35 },
  "tests/pages/federation.test.mjs": { seconds: 50 },
  "tests/pages/federation-account.test.mjs": { seconds: 60 },
  "tests/pages/federation-attacks.test.mjs": { seconds: 30 },
  "tests/pages/federation-errors.test.mjs": { seconds: 80 },
  "tests/pages/invite.test.mjs": { seconds: 30 },
  "tests/pages/mail.test.mjs": { seconds: 40 },
  "tests/scripts/admin.test.mjs": { seconds: 120 },
  "tests/scripts/audit-archive.test.mjs": { seconds: 60 },
  "tests/scripts/audit-export.test.mjs": { seconds: 40 },
  "tests/scripts/audit-mutations.test.mjs": { seconds: 15 },
  "tests/scripts/audit-verify.test.mjs": { seconds: 60 },
  "tests/scripts/backup.test.mjs": { seconds: 30 },
  "tests/scripts/export.test.mjs": { seconds: 40 },
  "tests/scripts/import.test.mjs": { seconds: 60 },
  "tests/scripts/local.test.mjs": { seconds: 50 },
  "tests/scripts/moving.test.mjs": { seconds: 120 },
  "tests/scripts/seed.test.mjs": { seconds: 60 },
  "tests/scripts/restore-notes.test.mjs": { seconds: 35 },
  "tests/dev/provider.test.mjs": { seconds: 50 },
  "tests/dev/walkthrough.test.mjs": { seconds: 100 },
  "tests/e2e/breaker-cycle.test.mjs": { seconds: 40, cores: 0.5 },
  "tests/e2e/breaker-flapping.test.mjs": { seconds: 40 },
  "tests/e2e/breaker-isolates.test.mjs": { seconds: 30, cores: 0.5 },
  "tests/e2e/breaker-lost-writes.test.mjs": { seconds: 25, cores: 0.5 },
  "tests/e2e/breaker-operator.test.mjs": { seconds: 30, cores: 0.5 },
  "tests/e2e/breaker-out-of-reach.test.mjs": { seconds: 60, cores: 0.5 },
  "tests/e2e/federation-outages.test.mjs": { seconds: 80, cores: 0.5 },
  "tests/e2e/federation-github.test.mjs": { seconds: 40, cores: 0.5 },
  "tests/e2e/federation-liars.test.mjs": { seconds: 30 },
  "tests/e2e/federation-places.test.mjs": { seconds: 25 },
  "tests/e2e/federation-tokens.test.mjs": { seconds: 25 },
  "tests/e2e/federation-secrecy.test.mjs": { seconds: 25 },
  "tests/e2e/federation-user-info.test.mjs": { seconds: 35, cores: 0.5 },
  "tests/e2e/linearizability.test.mjs": { seconds: 40, cores: 0.5 },
};
const USUAL = { seconds: 10, cores: 1, isMeasuring: false };
const CHECKS = { seconds: 300 };
/** A job that uses at most this many cores counts as waiting. */
const WAITING = 0.5;
const CORES = availableParallelism();
const SHOWN = 15;
/** The counts in the summary of Node's test runner. */
const COUNTS = ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo"];
const CLOSING = new RegExp(`^ℹ (${COUNTS.join("|")}) (\\d+)$`);

const isPath = (name) => name.includes("/");

function jobOf(name) {
  return isPath(name) ? fileJob(name) : { ...USUAL, ...CHECKS, steps: name.split(",").map(makeStep) };
}

function fileJob(file) {
  const args = ["--disable-warning=ExperimentalWarning", "--test", "--test-timeout=1800000", "--test-reporter=spec", file];
  return { ...USUAL, ...SPECIAL[file], steps: [{ name: file, command: process.execPath, args }] };
}

/** Each check gets one core too: cargo must not start parallel jobs beside other jobs. */
const makeStep = (target) => ({ name: `make ${target}`, command: "make", args: [target] });
const ENVIRONMENT = { ...process.env, CARGO_BUILD_JOBS: "1", RUST_TEST_THREADS: "1" };

/** Runs a program to its end. Returns the seconds, the exit code and the output. */
function run({ name, command, args }) {
  const begun = performance.now();
  const child = spawn(command, args, { env: ENVIRONMENT, stdio: ["ignore", "pipe", "pipe"] });
  const chunks = [];
  child.stdout.on("data", (chunk) => chunks.push(chunk));
  child.stderr.on("data", (chunk) => chunks.push(chunk));
  return new Promise((done) => {
    const end = (code) => done({ name, code, seconds: (performance.now() - begun) / 1000, output: String(Buffer.concat(chunks)) });
    child.on("error", (error) => chunks.push(Buffer.from(`${error.message}\n`)));
    child.on("close", end);
  });
}

const isWaiting = ({ cores }) => cores <= WAITING;

/** True if this job may run beside `running`; any job may run alone. */
function fits(job, running) {
  const isQuiet = !job.isMeasuring || running.every(isWaiting);
  const isHarmless = isWaiting(job) || !running.some(({ isMeasuring }) => isMeasuring);
  const cores = running.reduce((sum, other) => sum + other.cores, job.cores);
  return running.length === 0 || (isQuiet && isHarmless && cores <= CORES);
}

/** Runs all jobs; returns the result of each step. */
async function runAll(jobs) {
  // Measuring jobs first: there are enough waiting jobs to run beside them.
  const waiting = jobs.toSorted((one, other) => other.isMeasuring - one.isMeasuring || other.seconds - one.seconds);
  const running = new Map();
  const results = [];
  while (waiting.length + running.size > 0) {
    for (const job of [...waiting].filter((job) => fits(job, [...running.keys()]))) {
      if (fits(job, [...running.keys()])) {
        waiting.splice(waiting.indexOf(job), 1);
        running.set(job, finish(job, results).then(() => running.delete(job)));
      }
    }
    await Promise.race(running.values());
  }
  return results;
}

async function finish({ steps }, results) {
  for (const step of steps) {
    const result = await run(step);
    results.push(result);
    const lines = result.output.split("\n").filter((line) => !CLOSING.test(line) && !line.startsWith("ℹ duration_ms"));
    const verdict = result.code === 0 ? "" : `, FAILED with ${result.code}`;
    console.log(`\n▸ ${result.name} (${result.seconds.toFixed(1)} s${verdict})\n${lines.join("\n").trim()}`);
  }
}

/** The sum of the summaries. A failed file without a failure in its summary counts as one failed test. */
function totals(results) {
  const sum = Object.fromEntries(COUNTS.map((name) => [name, 0]));
  for (const { name, code, output } of results) {
    const found = output.split("\n").flatMap((line) => CLOSING.exec(line) ?? []);
    for (let index = 0; index < found.length; index += 3) {
      sum[found[index + 1]] += Number(found[index + 2]);
    }
    if (isPath(name) && code !== 0 && !/^ℹ (fail|cancelled) [1-9]/m.test(output)) {
      sum.tests += 1;
      sum.fail += 1;
    }
  }
  return sum;
}

/** The test files of a folder; any other name is returned unchanged. */
function filesIn(name) {
  const isFolder = isPath(name) && !name.endsWith(".mjs");
  const files = isFolder ? readdirSync(name).filter((file) => file.endsWith(".test.mjs")) : [];
  return isFolder ? files.sort().map((file) => `${name}/${file}`) : [name];
}

const begun = performance.now();
const results = await runAll(process.argv.slice(2).flatMap(filesIn).map(jobOf));
const failed = results.filter(({ code }) => code !== 0);

console.log("\n▸ The slowest, in seconds");
for (const { name, seconds } of results.toSorted((one, other) => other.seconds - one.seconds).slice(0, SHOWN)) {
  console.log(`  ${seconds.toFixed(1).padStart(6)}  ${name}`);
}
failed.forEach(({ name }) => console.log(`✖ failed: ${name}`));
for (const [name, count] of Object.entries(totals(results))) {
  console.log(`ℹ ${name} ${count}`);
}
console.log(`ℹ duration_ms ${performance.now() - begun}`);
process.exit(failed.length === 0 && results.length > 0 ? 0 : 1);
