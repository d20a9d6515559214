// The files of an import beside its source: the note of how far it came, and the report.
import assert from "node:assert/strict";
import { chmodSync, existsSync, lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Progress } from "../../scripts/moving/progress.mjs";
import { summaryOf } from "../../scripts/moving/summary.mjs";
import { stateFolder } from "../e2e/support/start.mjs";

const items = (...ids) => ids.map((externalId, index) => ({ line: index + 1, externalId, text: "{}" }));
const refused = { outcome: "refused", code: "hash_unknown" };
const modeOf = (path) => statSync(path).mode & 0o777;

/** A source in a folder of its own, and the files beside it. */
function source(t) {
  const from = join(stateFolder(t), "users.ndjson");
  writeFileSync(from, "");
  return { from, note: `${from}.import.json`, report: `${from}.refused.ndjson`, other: `${from}.other` };
}

test("lines that failed are reported and counted apart from refused ones", (t) => {
  const { from, report } = source(t);
  const progress = new Progress(from, "print");
  progress.record(items("1", "2", "3"), [{ outcome: "created" }, { outcome: "failed", code: "unavailable" }, refused]);
  assert.deepEqual([progress.refused, progress.failed, progress.counts.position], [1, 1, 3]);
  const lines = readFileSync(report, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines, [{ line: 2, external_id: "2", code: "unavailable" }, { line: 3, external_id: "3", code: "hash_unknown" }]);
  assert.deepEqual(summaryOf(progress, { isDryRun: false }), [
    "Created: 1. Existed already, unchanged: 0. New full name: 0. Refused: 1.",
    "  hash_unknown: 1",
    "Failed, though the service took other lines: 1.",
    "  unavailable: 1",
    `These lines are in ${report}. docs/migrate.md says how to mend each code.`,
  ]);
  progress.finish();
});

test("symbolic links are not followed, and files are for their owner", (t) => {
  const { from, note, report, other } = source(t);
  writeFileSync(other, "mine", { mode: 0o644 });
  symlinkSync(other, report);
  const progress = new Progress(from, "print");
  assert.ok(!existsSync(report), "the report of another import is removed, as a link");
  symlinkSync(other, report);
  assert.throws(() => progress.record(items("1"), [refused]), /users\.ndjson\.refused\.ndjson cannot be opened: it is a symbolic link/);
  assert.equal(lstatSync(note).isFile(), true);
  assert.deepEqual([readFileSync(other, "utf8"), modeOf(other)], ["mine", 0o644]);
});

test("another run does not follow links either, and takes rights of others away", (t) => {
  const { from, note, report, other } = source(t);
  new Progress(from, "print").record(items("1"), [refused]);
  assert.deepEqual([modeOf(note), modeOf(report)], [0o600, 0o600]);
  chmodSync(report, 0o644);
  const size = statSync(report).size;
  writeFileSync(report, "behind", { flag: "a" });
  assert.equal(new Progress(from, "print").isResumed, true);
  assert.deepEqual([modeOf(report), statSync(report).size], [0o600, size]);

  const linked = source(t);
  writeFileSync(linked.other, readFileSync(note));
  symlinkSync(linked.other, linked.note);
  assert.throws(() => new Progress(linked.from, "print"), /users\.ndjson\.import\.json cannot be opened: it is a symbolic link/);
  writeFileSync(other, "x".repeat(2 * size));
  const { from: third, note: thirdNote, report: thirdReport } = source(t);
  writeFileSync(thirdNote, readFileSync(note));
  symlinkSync(other, thirdReport);
  assert.throws(() => new Progress(third, "print"), /cannot be opened: it is a symbolic link/);
  assert.equal(statSync(other).size, 2 * size, "it is not cut off");
});
