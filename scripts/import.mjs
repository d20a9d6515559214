// Imports the users of another system: `make import FROM=file`. The options are environment variables, which the Makefile takes
// from its own command line (docs/migrate.md). The exit code is 0 if every line was accepted, 1 if some were refused or failed, 2
// if the import could not go on, and 130 after Ctrl-C.
import { named } from "./database.mjs";
import { Bar } from "./moving/bar.mjs";
import { chunks } from "./moving/chunks.mjs";
import { Client } from "./moving/client.mjs";
import { ImportFailure } from "./moving/failure.mjs";
import { makeKey } from "./moving/importer.mjs";
import { Progress } from "./moving/progress.mjs";
import { accepts, checkedUrl, deployedUrl, startService } from "./moving/service.mjs";
import { fingerprintOf, openSource } from "./moving/source.mjs";
import { summaryOf } from "./moving/summary.mjs";

const COULD_NOT_GO_ON = 2;
const INTERRUPTED = 130;

const { STATE: state, REMOTE: environment, PORT, SERVICE_URL, DEV_ARGS } = process.env;
const database = { state, environment };
const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(name, () => interruption.abort());
}

/** Options of the source, as texts; switches are `yes` or nothing. */
function readOptions() {
  const { FROM = "", FORMAT = "", MAP = "", TABLE = "", HASH_CONFIG = "", PASSWORDS = "" } = process.env;
  if (FROM === "") {
    throw new ImportFailure("Say what to import: make import FROM=app.db. docs/migrate.md has the options.");
  }
  const [verified, roles, isDryRun] = ["VERIFIED", "ROLES", "DRY_RUN"].map((name) => isYes(name, process.env[name] ?? ""));
  return { from: FROM, format: FORMAT, map: MAP, table: TABLE, hashConfig: HASH_CONFIG, passwords: PASSWORDS, verified, roles, isDryRun };
}

function isYes(name, value) {
  if (!["", "yes", "no"].includes(value)) {
    throw new ImportFailure(`${name}= is yes or no.`);
  }
  return value === "yes";
}

/** The address that was given, or that of the deployment; `undefined` for the service of this machine. */
async function givenUrl() {
  if (SERVICE_URL) {
    return checkedUrl(SERVICE_URL);
  }
  return environment ? deployedUrl(environment) : undefined;
}

/** The address of the service, and `stop()` for one that was started here. */
async function findService(given, key) {
  if (given) {
    return { url: given, stop() {} };
  }
  const url = `http://127.0.0.1:${PORT}`;
  if (await accepts(url, key)) {
    return { url, stop() {} };
  }
  console.log(`No service at ${url} has ${named(database)}: starting one for the import.`);
  return startService({ state, args: DEV_ARGS, signal: interruption.signal });
}

/** Sends the chunks behind the position of the progress. */
async function run(source, client, progress) {
  const bar = new Bar();
  try {
    for await (const chunk of chunks(source.items(), progress.counts.position)) {
      const sent = chunk.filter(({ text }) => text !== undefined);
      const outcomes = sent.length > 0 ? await client.send(sent.map(({ text }) => text)) : [];
      const outcomeOf = ({ text, code }) => (text === undefined ? { outcome: "refused", code } : outcomes.shift());
      progress.record(chunk, chunk.map(outcomeOf));
      bar.show({ done: source.done(), total: source.total, users: progress.counts.position });
      interruption.signal.throwIfAborted();
    }
  } finally {
    bar.clear();
  }
}

/** Makes the key, imports, and withdraws the key, however the import ended. */
async function importWithKey({ options, source, progress, given }) {
  const { key, withdraw } = makeKey(database, { mayGrantRoles: options.roles });
  let service;
  try {
    interruption.signal.throwIfAborted();
    service = await findService(given, key);
    const client = new Client({ url: service.url, key, isDryRun: options.isDryRun, signal: interruption.signal });
    await run(source, client, progress);
  } finally {
    await service?.stop();
    end(withdraw);
  }
}

/** A key that cannot be withdrawn must not hide how the import ended. */
function end(withdraw) {
  try {
    withdraw();
  } catch ({ message }) {
    console.error(`The key of this run was not withdrawn, and ends within a day: ${message}`);
  }
}

async function main() {
  const options = readOptions();
  const given = await givenUrl();
  const source = openSource(options);
  const progress = new Progress(options.from, fingerprintOf({ ...options, target: [named(database), given] }));
  const doing = options.isDryRun ? "Trying (DRY_RUN=yes, nothing is written)" : "Importing";
  const begin = progress.isResumed && progress.counts.position > 0 ? `, behind ${progress.counts.position} users of the run before` : "";
  console.log(`${doing} ${options.from} (${source.format}) into ${named(database)}${begin}.`);
  try {
    if (source.format !== "none") {
      await importWithKey({ options, source, progress, given });
    }
  } catch (error) {
    const resumption = `The same command goes on behind the ${progress.counts.position} users that are done.`;
    throw Object.assign(error, { resumption });
  } finally {
    source.close();
  }
  progress.finish();
  console.log(summaryOf(progress, options).join("\n"));
  process.exitCode = progress.refused + progress.failed > 0 ? 1 : 0;
}

await main().catch((error) => {
  const isInterrupted = interruption.signal.aborted;
  const message = error instanceof ImportFailure ? error.message : error.stack;
  console.error([isInterrupted ? "Interrupted." : message, error.resumption].filter(Boolean).join(" "));
  process.exit(isInterrupted ? INTERRUPTED : COULD_NOT_GO_ON);
});
