// `make bench-archive`: a year of audit events, day by day, on the deployed Worker with local D1 and R2. Prints the size of D1
// and of the archive over the year, and the cost of a run; then verifies the chain with `scripts/audit-verify.mjs`.
// SIZE is the number of events a day, by default 1,000; they belong to 500 users. Writes dist/bench-archive.json.
//
// Time passes by moving the stored times of the events in D1: after each day they are one day older. So the Worker runs with its
// real clock. The data are in memory (`/dev/shm`), as in the other benchmarks.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { bucketWorker, objectsOf } from "../tests/e2e/support/bucket.mjs";
import { cpuSeconds } from "./support/cpu.mjs";
import { circumstances, inWords } from "./support/machine.mjs";
import { save } from "./support/results.mjs";
import { median, percentile } from "./support/statistics.mjs";
import { lines } from "./support/table.mjs";
import { PLACE, productModules, startTarget } from "./support/targets.mjs";

const ROOT = resolve(import.meta.dirname, "..");
const PER_DAY = Number(process.env.SIZE ?? 1000);
const DAYS = 365;
const USERS = 500;
const DAY = 86_400_000;
const SHOWN = [31, 60, 120, 180, 240, 300, 365];
const CRON = "*/15 * * * *";

/** A day of events, at even distances, as browsers of 500 users leave them. A third are refusals. */
const ADD_DAY = `
  WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2)
  INSERT INTO audit_events (id, created_at, type, reason, count, last_at, user_id, session_id, ip, user_agent, request_id, ray)
  SELECT ?1 + i, ?3 + i * 86400000 / ?2, iif(i % 3, 'signed_in', 'sign_in_refused'), iif(i % 3, NULL, 'wrong_password'),
         iif(i % 3, NULL, 3), iif(i % 3, NULL, ?3 + i * 86400000 / ?2 + 60000), 1 + (i * 7919) % ${USERS},
         iif(i % 3, 1000000000000 + ?1 + i, NULL), '192.0.' || (i % 200) || '.' || (i % 250),
         'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
         lower(hex(randomblob(16))), lower(hex(randomblob(8))) || '-FRA'
  FROM n`;

const ADD_USERS = `
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${USERS})
  INSERT INTO users (id, email, password_hash, created_at) SELECT i, 'user' || i || '@example.com', '', 1 FROM n`;

const COUNTS = `
  SELECT (SELECT count(*) FROM audit_events) AS events, (SELECT count(*) FROM audit_objects) AS objects,
         (SELECT count(*) FROM audit_salts) AS salts`;

async function one(database, sql, ...values) {
  const { results, meta } = await database.prepare(sql).bind(...values).all();
  return { ...results[0], bytes: meta.size_after };
}

/** A run, with its time and the CPU of workerd. */
async function runOf(target, worker) {
  const [cpu, begun] = [cpuSeconds(target.pid), performance.now()];
  const { outcome } = await worker.scheduled({ cron: CRON });
  if (outcome !== "ok") {
    throw new Error(`the run ended with ${outcome}`);
  }
  return { ms: performance.now() - begun, cpuMs: (cpuSeconds(target.pid) - cpu) * 1000 };
}

/** Verifies downloaded objects with the operator's command; returns its line. */
function verified(objects, head) {
  const FROM = mkdtempSync(join(PLACE, "edge-auth-objects-"));
  try {
    mkdirSync(join(FROM, "audit"));
    objects.forEach(([name, text]) => writeFileSync(join(FROM, name), text));
    const env = { ...process.env, FROM, HEAD: head };
    return execFileSync(process.execPath, [join(ROOT, "scripts/audit-verify.mjs")], { cwd: ROOT, env, encoding: "utf8" }).trim();
  } finally {
    rmSync(FROM, { recursive: true, force: true });
  }
}

const target = await startTarget(productModules(), { archive: true, beside: bucketWorker });
const [database, worker] = [await target.database(), await target.miniflare.getWorker("edge-auth")];
await database.prepare(ADD_USERS).run();
console.log(inWords(circumstances()).join("\n"));
console.log(`${PER_DAY} events a day of ${USERS} users for ${DAYS} days; events move after 30 days\n`);

const today = Math.floor(Date.now() / DAY) * DAY;
const costs = [];
const idle = [];
const sizes = [];
for (let day = 0; day < DAYS; day += 1) {
  await database.batch([
    database.prepare("UPDATE audit_events SET created_at = created_at - ?1, last_at = last_at - ?1").bind(DAY),
    database.prepare(ADD_DAY).bind(1 + day * PER_DAY, PER_DAY, today - DAY),
  ]);
  const cost = await runOf(target, worker);
  if (day >= 31) {
    costs.push(cost);
  }
  if (day % 30 === 29) {
    idle.push(await runOf(target, worker));
  }
  if (SHOWN.includes(day + 1)) {
    sizes.push({ day: day + 1, ...(await one(database, COUNTS)) });
  }
}
const objects = await objectsOf(target);
const bytes = objects.reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0);
const archived = objects.map(([, text]) => JSON.parse(text.slice(0, text.indexOf("\n")))).at(-1).total;
const { head } = await one(
  database,
  "SELECT o.object || ':' || o.sha256 || ':' || k.kid AS head FROM audit_objects AS o, audit_keys AS k ORDER BY o.object DESC LIMIT 1",
);
await target.stop();
const verification = performance.now();
const line = verified(objects, head);
const verifiedMs = performance.now() - verification;

const heading = ["day", "D1, bytes", "events in D1", "rows of the register", "salts"];
console.log(lines([heading, ...sizes.map(({ day, bytes: size, events, objects: count, salts }) => [day, `${size}`, `${events}`, `${count}`, `${salts}`])]).join("\n"));
const summary = {
  perDay: PER_DAY,
  sizes,
  objects: objects.length,
  bytes,
  archived,
  bytesPerEvent: bytes / archived,
  runMs: median(costs.map(({ ms }) => ms)),
  runMs95: percentile(costs.map(({ ms }) => ms), 0.95),
  runCpuMs: median(costs.map(({ cpuMs }) => cpuMs)),
  idleCpuMs: median(idle.map(({ cpuMs }) => cpuMs)),
  verifiedMs,
  verified: line,
};
console.log(`\n${archived} events in ${objects.length} objects of ${bytes} bytes: ${summary.bytesPerEvent.toFixed(0)} bytes per event`);
console.log(`a run that moves a day: ${summary.runMs.toFixed(0)} ms (95 %: ${summary.runMs95.toFixed(0)}), CPU of workerd ${summary.runCpuMs.toFixed(0)} ms; a run without events: CPU ${summary.idleCpuMs.toFixed(1)} ms`);
console.log(`${line}\nverified in ${(verifiedMs / 1000).toFixed(1)} s`);
save("bench-archive.json", { ...circumstances(), ...summary });
