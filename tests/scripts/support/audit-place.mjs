// Places where an archive is: a bucket and a database of this machine, or a stand-in for wrangler that has those of a deployment. The
// scripts run there with a wrangler.toml of their own.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";

import { stateFolder } from "../../e2e/support/start.mjs";
import { schema } from "./audit-database.mjs";
import { environment, ROOT, run } from "./make.mjs";

const DATABASE = "00000000-0000-0000-0000-000000000000";
const BUCKET = "archive-of-the-test";
const CONFIGURATION = (prefix) => `
[[${prefix}d1_databases]]
binding = "DB"
database_name = "edge-auth"
database_id = "${DATABASE}"

[[${prefix}r2_buckets]]
binding = "ARCHIVE"
bucket_name = "${BUCKET}"
`;

const nameOf = (number) => `audit/${String(number).padStart(10, "0")}.ndjson`;
const columns = (row) => `(${Object.keys(row).join(", ")}) VALUES (${Object.keys(row).map(() => "?").join(", ")})`;

/** The statements that make the rows of an archive; `rows` has more of other tables. */
function inserts({ key, rows }, others) {
  const { kid, jwk, sealed = { master_key: "", encrypted_by: "" } } = key;
  const keyRow = { id: 1, kid, public_key: JSON.stringify(jwk), private_key: "", ...sealed, created_at: 0 };
  return [["audit_keys", keyRow], ...rows.map((row) => ["audit_objects", row]), ...others];
}

/** A script of the archive, in a folder with this configuration: `{code, stdout, stderr}`. */
function scriptIn(folder, variables) {
  return (name, more = {}) => {
    const env = { ...environment(folder), ...variables, ...more };
    return run(process.execPath, [join(ROOT, "scripts", `${name}.mjs`)], { cwd: folder, env });
  };
}

/**
 * The archive on this machine, in a copy of a folder with the migrated database. Returns `{STATE, folder, script}`, and `change(use)` for
 * another state: `use({bucket, db, nameOf})`.
 */
export async function localPlace(STATE, archive, others = []) {
  const folder = stateFolder();
  writeFileSync(join(folder, "wrangler.toml"), `name = "edge-auth"\ncompatibility_date = "2026-11-01"\n${CONFIGURATION("")}`);
  const change = (use) => changing(STATE, use);
  await change(async ({ db, bucket }) => {
    const statements = inserts(archive, others).map(([table, row]) => db.prepare(`INSERT INTO ${table} ${columns(row)}`).bind(...Object.values(row)));
    await db.batch(statements);
    for (const [number, bytes] of archive.objects) {
      await bucket.put(nameOf(number), bytes);
    }
  });
  return { STATE, folder, change, script: scriptIn(folder, { STATE }) };
}

/** Uses the bucket and the database of a folder, as the service would. */
async function changing(STATE, use) {
  const options = { modules: true, script: "export default { fetch: () => new Response() }", cf: false, log: new Log(LogLevel.ERROR) };
  const places = { resourcePersistencePath: join(STATE, "v3"), d1Databases: { DB: DATABASE }, r2Buckets: { ARCHIVE: BUCKET } };
  const miniflare = new Miniflare(convertV4MiniflareOptions({ ...options, ...places }));
  try {
    await use({ db: await miniflare.getD1Database("DB"), bucket: await miniflare.getR2Bucket("ARCHIVE"), nameOf });
  } finally {
    await miniflare.dispose();
  }
}

/** Answers as wrangler does, from an SQLite file and a folder of objects. */
const WRANGLER = `
const { existsSync, readFileSync, appendFileSync } = require("node:fs");
const { DatabaseSync } = require("node:sqlite");
const args = process.argv.slice(2);
appendFileSync(CALLS, JSON.stringify(args) + "\\n");
const give = (text) => process.stdout.write(text);
const refuse = (text) => {
  process.stderr.write("\\u2718 [ERROR] " + text + "\\n");
  process.exitCode = 1;
};
if (FAULT && args.join(" ").includes(FAULT)) {
  refuse("Authentication error [code: 10000]");
} else if (args[0] === "d1") {
  const database = new DatabaseSync(DATABASE, { readOnly: true });
  const statements = args[args.indexOf("--command") + 1].split(";");
  give(JSON.stringify(statements.map((sql) => ({ results: database.prepare(sql).all(), success: true, meta: {} }))));
} else {
  const path = OBJECTS + args[3].slice(args[3].indexOf("/"));
  existsSync(path) ? give(readFileSync(path)) : refuse("The specified key does not exist.");
}
`;

/**
 * The archive of the deployment `production`. `fault`: words of commands that fail. Returns `{script, calls}`; the calls are lists of
 * arguments.
 */
export function remotePlace(archive, { fault = "", jurisdiction, others = [] } = {}) {
  const folder = stateFolder();
  const [file, calls, tools] = ["database.sqlite", "calls", "bin"].map((name) => join(folder, name));
  const database = new DatabaseSync(file);
  database.exec(schema());
  inserts(archive, others).forEach(([table, row]) => database.prepare(`INSERT INTO ${table} ${columns(row)}`).run(...Object.values(row)));
  database.close();
  archive.writeTo(folder);
  const place = jurisdiction ? `jurisdiction = "${jurisdiction}"\n` : "";
  writeFileSync(join(folder, "wrangler.toml"), `name = "edge-auth"\n[env.production]\n${CONFIGURATION("env.production.")}${place}`);
  writeFileSync(calls, "");
  mkdirSync(tools);
  const constants = Object.entries({ DATABASE: file, OBJECTS: folder, CALLS: calls, FAULT: fault });
  const lines = constants.map(([name, value]) => `const ${name} = ${JSON.stringify(value)};`);
  writeFileSync(join(tools, "wrangler"), `#!${process.execPath} --disable-warning=ExperimentalWarning\n${lines.join("\n")}${WRANGLER}`);
  chmodSync(join(tools, "wrangler"), 0o755);
  const PATH = [tools, process.env.PATH].join(delimiter);
  return { folder, calls, script: scriptIn(folder, { PATH, REMOTE: "production" }) };
}
