// The formats that `make import` reads, each as its system exports it: the members of a line, hashes, refusals, and the guess.
import assert from "node:assert/strict";
import { pbkdf2Sync, scryptSync } from "node:crypto";
import { test } from "node:test";
import { DatabaseSync } from "node:sqlite";

import { fileOf, linesOf } from "./support/import-source.mjs";

const PASSWORD = "correct horse battery staple";
const SALT = Buffer.from("sixteen of bytes");
const BCRYPT = "$2a$10$fgPOubgdJs90F1GK2u.Qye7Xyyi2ajrQJoB5LDG5bnITEvFR/xhZ.";
const CREATED = "2024-02-29T12:30:00.000Z";
const SIGNER_KEY = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";

/** Does the PHC string of PBKDF2 or scrypt belong to the password? The original function computes it once more. */
function assertVerifies(phc) {
  const [, name, settings, salt, key] = phc.split("$");
  const numbers = Object.fromEntries(settings.split(",").map((pair) => pair.split("=")));
  const [saltBytes, keyBytes] = [salt, key].map((text) => Buffer.from(text, "base64"));
  const derived = name.startsWith("pbkdf2-")
    ? pbkdf2Sync(PASSWORD, saltBytes, Number(numbers.i), keyBytes.length, name.slice("pbkdf2-".length))
    : scryptSync(PASSWORD, saltBytes, keyBytes.length, { N: 2 ** numbers.ln, r: Number(numbers.r), p: Number(numbers.p) });
  assert.deepEqual(derived, keyBytes, phc);
  assert.ok(numbers.l === undefined || Number(numbers.l) === keyBytes.length, phc);
  assert.ok(!phc.includes("="+"$") && !phc.endsWith("="), phc);
}

const ndjson = (...entries) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");

test("lines of the API go out as they are, also with members that the service refuses", async () => {
  const raw = '{"email":"a@example.com","email":"b@example.com","unknown":1, "external_id":"7"}';
  const { format, items } = await linesOf(fileOf(`${raw}\n[1]\nnonsense\n"text"\nnull\n`), { format: "ndjson" });
  assert.equal(format, "ndjson");
  assert.deepEqual(items, [
    { line: 1, text: raw, externalId: "7" },
    ...[2, 3, 4, 5].map((line) => ({ line, code: "not_json" })),
  ]);
  const long = JSON.stringify({ external_id: "8", email: "x".repeat(16 * 1024) });
  assert.deepEqual((await linesOf(fileOf(`${long}\n`, "a.ndjson"), { format: "ndjson" })).items, [{ line: 1, code: "line_too_long", externalId: "8" }]);
});

test("columns have the names of the API, usual ones, or those of MAP=", async () => {
  const header = "id,mail,pwd,display_name,created_at,is_active,email_verified,roles";
  const rows = [
    `1,a@example.com,${BCRYPT},Ada,2024-02-29 12:30:00,t,true,"[{""role"":""STUDENT"",""university_id"":1}]"`,
    "2,b@example.com,,,,f,,",
    "3,c@example.com,,,soon,,,",
    "4,d@example.com,,,,maybe,,",
    "5,,,,,,,",
  ];
  const map = "email:mail,password_hash:pwd,full_name:display_name";
  const { format, lines } = await linesOf(fileOf([header, ...rows].join("\n"), "users.csv"), { format: "csv", map });
  assert.equal(format, "csv");
  const ada = { external_id: "1", email: "a@example.com", email_verified: true, full_name: "Ada", password_hash: BCRYPT };
  assert.deepEqual(lines, [
    { ...ada, created_at: CREATED, is_active: true, roles: [{ role: "STUDENT", university_id: 1 }] },
    { external_id: "2", email: "b@example.com", is_active: false },
    "created_at_invalid",
    "is_active_invalid",
    "no_email",
  ]);
  const mapped = await linesOf(fileOf(ndjson({ mail: "a@example.com", extra: 1 }, { mail: "b@example.com", pwd: BCRYPT })), { format: "ndjson", map });
  assert.deepEqual(mapped.lines, [{ email: "a@example.com" }, { email: "b@example.com", password_hash: BCRYPT }]);
});

test("a column that may hold passwords themselves is read only if MAP= names it", async () => {
  const { lines } = await linesOf(fileOf("email,password\na@example.com,secret\n"));
  assert.deepEqual(lines, [{ email: "a@example.com" }]);
});

test("VERIFIED=yes counts for addresses of which the source says nothing", async () => {
  const { lines } = await linesOf(fileOf("email,email_verified\na@example.com,\nb@example.com,false\n"), { verified: true });
  assert.deepEqual(lines.map((line) => line.email_verified), [true, false]);
});

test("Supabase: auth.users as CSV and as NDJSON", async () => {
  const user = {
    id: "0b5f", email: "a@example.com", encrypted_password: BCRYPT, email_confirmed_at: "2024-02-29 12:30:00.1+00",
    raw_user_meta_data: { full_name: "Ada" }, banned_until: null, created_at: "2024-02-29 12:30:00+00", deleted_at: null,
    is_anonymous: false, is_sso_user: false,
  };
  const wanted = { external_id: "0b5f", email: "a@example.com", email_verified: true, full_name: "Ada", password_hash: BCRYPT, created_at: CREATED };
  const others = [
    { ...user, email_confirmed_at: null, encrypted_password: "", raw_user_meta_data: null, banned_until: "2999-01-01 00:00:00+00" },
    { ...user, deleted_at: "2024-03-01 00:00:00+00" },
    { ...user, is_anonymous: true, email: null },
    { ...user, is_sso_user: true },
    { ...user, email: null },
    { ...user, banned_until: "2001-01-01 00:00:00+00", raw_user_meta_data: "no json" },
  ];
  const { format, lines } = await linesOf(fileOf(ndjson(user, ...others)));
  assert.equal(format, "supabase");
  const unverified = { external_id: "0b5f", email: "a@example.com", email_verified: false, created_at: CREATED, is_active: false };
  const { full_name, ...nameless } = wanted;
  assert.deepEqual(lines, [wanted, unverified, "deleted", "anonymous", "sso_user", "no_email", nameless]);

  const columns = Object.keys(user);
  const field = (value) => (value === null ? "" : `"${(typeof value === "object" ? JSON.stringify(value) : String(value)).replaceAll('"', '""')}"`);
  const csv = [columns.join(","), columns.map((name) => field(user[name])).join(",")].join("\r\n");
  const read = await linesOf(fileOf(csv, "users.csv"));
  assert.deepEqual([read.format, read.lines], ["supabase", [wanted]]);
});

test("Auth0: the export of users, with the hashes of another file", async () => {
  const user = { user_id: "auth0|5dea", email: "a@example.com", email_verified: true, name: "Ada", created_at: CREATED, blocked: true };
  const social = { user_id: "google-oauth2|7", email: "b@example.com", email_verified: "false", name: "b@example.com", given_name: "Bob" };
  const secret = { _id: { $oid: "5dea" }, email_verified: false, passwordHash: BCRYPT, tenant: "t", connection: "c" };
  const passwords = fileOf(ndjson(secret, { ...secret, _id: { $oid: "6" }, alt_id: "custom" }));
  const { format, lines } = await linesOf(fileOf(ndjson(user, social)), { passwords });
  assert.equal(format, "auth0");
  assert.deepEqual(lines, [
    { external_id: "5dea", email: "a@example.com", email_verified: true, full_name: "Ada", password_hash: BCRYPT, created_at: CREATED, is_active: false },
    { external_id: "google-oauth2|7", email: "b@example.com", email_verified: false, full_name: "Bob" },
  ]);
  const identifiers = [{ type: "email", value: "c@example.com", verified: true }];
  const alone = await linesOf(fileOf(ndjson({ ...secret, alt_id: "own", identifiers })));
  assert.deepEqual(alone.lines, [{ external_id: "own", email: "c@example.com", email_verified: false, password_hash: BCRYPT }]);
  await assert.rejects(linesOf(fileOf(ndjson(user)), { passwords: fileOf(ndjson(user)) }), /has no id or no hash/);
});

test("Auth0: hashes in the form of its bulk import", async () => {
  const key = scryptSync(PASSWORD, SALT, 32, { N: 1024, r: 8, p: 1 });
  const parameters = { algorithm: "scrypt", cost: 1024, blockSize: 8, parallelization: 1, keylen: 32 };
  const hashes = [
    { algorithm: "bcrypt", hash: { value: BCRYPT } },
    { ...parameters, hash: { value: key.toString("hex"), encoding: "hex" }, salt: { value: SALT.toString(), encoding: "utf8" } },
    { ...parameters, hash: { value: key.toString("base64"), encoding: "base64" }, salt: { value: SALT.toString("base64"), encoding: "base64" } },
    { algorithm: "md5", hash: { value: "5f4dcc3b5aa765d61d8327deb882cf99", encoding: "hex" } },
    { ...parameters, hash: { value: "00", encoding: "rot13" }, salt: { value: "x" } },
  ];
  const users = hashes.map((custom, number) => ({ user_id: `auth0|${number}`, email: "a@example.com", custom_password_hash: custom }));
  const { lines } = await linesOf(fileOf(JSON.stringify(users), "users.json"), { format: "auth0" });
  assert.equal(lines[0].password_hash, BCRYPT);
  assertVerifies(lines[1].password_hash);
  assert.equal(lines[2].password_hash, lines[1].password_hash);
  assert.deepEqual(lines.slice(3), ["hash_too_fast", "hash_malformed"]);
});

test("Firebase: the export, with the project's parameters in a file", async () => {
  const users = [
    { localId: "u1", email: "a@example.com", emailVerified: true, passwordHash: "aGFzaA==", salt: "42xEC+ixf3L2lw==", displayName: "Ada", createdAt: "1709209800000", disabled: true },
    { localId: "u2", email: "b@example.com", emailVerified: false, providerUserInfo: [{ providerId: "google.com" }], createdAt: "1709209800000" },
    { localId: "u3", phoneNumber: "+1", createdAt: "1709209800000" },
  ];
  const path = fileOf(JSON.stringify({ users }, null, 2));
  const shown = `hash_config {\n  algorithm: SCRYPT,\n  base64_signer_key: ${SIGNER_KEY},\n  base64_salt_separator: Bw==,\n  rounds: 8,\n  mem_cost: 14,\n}\n`;
  const json = JSON.stringify({ algorithm: "SCRYPT", base64_signer_key: SIGNER_KEY, base64_salt_separator: "Bw==", rounds: 8, mem_cost: 14 });
  for (const config of [shown, json]) {
    const { format, lines } = await linesOf(path, { hashConfig: fileOf(config) });
    assert.equal(format, "firebase");
    const hash = `$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=${SIGNER_KEY}$42xEC+ixf3L2lw==$aGFzaA==`;
    assert.deepEqual(lines, [
      { external_id: "u1", email: "a@example.com", email_verified: true, full_name: "Ada", password_hash: hash, created_at: CREATED, is_active: false },
      { external_id: "u2", email: "b@example.com", email_verified: false, created_at: CREATED },
      "no_email",
    ]);
  }
  await assert.rejects(linesOf(path), /HASH_CONFIG=file/);
  await assert.rejects(linesOf(path, { hashConfig: fileOf("mem_cost: 14") }), /HASH_CONFIG= must be a file/);
  await assert.rejects(linesOf(path, { hashConfig: `${path}.none` }), /cannot be read: ENOENT/);
});

test("Clerk: the CSV of the dashboard, with each kind of digest", async () => {
  const columns = "id,first_name,last_name,username,primary_email_address,primary_phone_number,verified_email_addresses,unverified_email_addresses,verified_phone_numbers,unverified_phone_numbers,totp_secret,password_digest,password_hasher";
  const key = pbkdf2Sync(PASSWORD, SALT, 1000, 32, "sha256");
  const digests = [
    [BCRYPT, "bcrypt"],
    [`pbkdf2_sha256$1000$${SALT.toString("base64")}$${key.toString("base64")}`, "pbkdf2_sha256"],
    ["pbkdf2_sha1$1000$salty$00ff", "pbkdf2_sha1"],
    [`aGFzaA==$c2FsdA==$${SIGNER_KEY}$Bw==$8$14`, "scrypt_firebase"],
    ["pbkdf2_sha256$1000$salty$aGFzaA==", "pbkdf2_sha256_django"],
    ["", ""],
    ["pbkdf2_sha256$1000$x", "pbkdf2_sha256"],
  ];
  const rows = digests.map(([digest, hasher], number) => `user_${number},Ada,Lovelace,,a@example.com,,a@example.com|b@example.com,,,,,${digest},${hasher}`);
  const unverified = "user_9,,,,,,,c@example.com,,,,,";
  const { format, lines } = await linesOf(fileOf([columns, ...rows, unverified].join("\n")));
  assert.equal(format, "clerk");
  assert.deepEqual(lines[0], { external_id: "user_0", email: "a@example.com", email_verified: true, full_name: "Ada Lovelace", password_hash: BCRYPT });
  assertVerifies(lines[1].password_hash);
  assert.equal(lines[2].password_hash, "pbkdf2_sha1$1000$salty$AP8=");
  assert.equal(lines[3].password_hash, `$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=${SIGNER_KEY}$c2FsdA==$aGFzaA==`);
  assert.equal(lines[4].password_hash, digests[4][0]);
  assert.equal(lines[5].password_hash, undefined);
  assert.deepEqual(lines.slice(6), ["hash_malformed", { external_id: "user_9", email: "c@example.com", email_verified: false }]);
});

test("Keycloak: a realm with users, with each kind of credential", async () => {
  const credential = (algorithm, digest, length) => ({
    type: "password",
    secretData: JSON.stringify({ value: pbkdf2Sync(PASSWORD, SALT, 1000, length, digest).toString("base64"), salt: SALT.toString("base64"), additionalParameters: {} }),
    credentialData: JSON.stringify({ hashIterations: 1000, algorithm, additionalParameters: {} }),
  });
  const additionalParameters = { hashLength: ["32"], memory: ["7168"], type: ["id"], version: ["1.3"], parallelism: ["1"] };
  const argon2 = { ...credential("argon2", "sha256", 32), credentialData: JSON.stringify({ hashIterations: 5, algorithm: "argon2", additionalParameters }) };
  const old = { type: "password", hashedSaltedValue: pbkdf2Sync(PASSWORD, SALT, 1000, 64, "sha256").toString("base64"), salt: SALT.toString("base64"), hashIterations: 1000, algorithm: "pbkdf2-sha256" };
  const credentials = [credential("pbkdf2-sha256", "sha256", 64), credential("pbkdf2-sha512", "sha512", 64), credential("pbkdf2", "sha1", 64), old, argon2, credential("phpass", "sha1", 20)];
  const user = { id: "f1", username: "ada", firstName: "Ada", lastName: "Lovelace", email: "a@example.com", emailVerified: true, enabled: false, createdTimestamp: 1709209800000 };
  const users = [
    ...credentials.map((one) => ({ ...user, credentials: [{ type: "otp" }, one] })),
    { ...user, credentials: [] },
    { username: "service-account-x", serviceAccountClientId: "x", enabled: true },
    { ...user, email: undefined },
  ];
  const realm = { realm: "main", roles: { users: [1] }, clients: [{ users: [2] }], users, components: {} };
  const { format, lines } = await linesOf(fileOf(JSON.stringify(realm, null, 2)));
  assert.equal(format, "keycloak");
  lines.slice(0, 4).forEach((line) => assertVerifies(line.password_hash));
  assert.match(lines[4].password_hash, /^\$argon2id\$v=19\$m=7168,t=5,p=1\$c2l4dGVlbiBvZiBieXRlcw\$[^=]+$/);
  const members = { external_id: "f1", email: "a@example.com", email_verified: true, full_name: "Ada Lovelace", created_at: CREATED, is_active: false };
  assert.deepEqual(lines.slice(5), ["hash_unknown", members, "service_account", "no_email"]);
});

test("Better Auth: its tables in SQLite, in both spellings, and NDJSON", async () => {
  const hash = `${"0".repeat(32)}:${"f".repeat(128)}`;
  const wanted = { external_id: "u1", email: "a@example.com", email_verified: true, full_name: "Ada", password_hash: hash, created_at: CREATED };
  const spellings = [
    ["user", "account", { verified: "emailVerified", created: "createdAt", owner: "userId", provider: "providerId" }],
    ["users", "accounts", { verified: "email_verified", created: "created_at", owner: "user_id", provider: "provider_id" }],
  ];
  for (const [user, account, { verified, created, owner, provider }] of spellings) {
    const path = fileOf("", "auth.db");
    const database = new DatabaseSync(path);
    database.exec(`
      CREATE TABLE "${user}" (id TEXT PRIMARY KEY, name TEXT, email TEXT, "${verified}" INTEGER, "${created}" DATE, banned INTEGER);
      CREATE TABLE "${account}" (id TEXT PRIMARY KEY, "${owner}" TEXT, "${provider}" TEXT, password TEXT);
      INSERT INTO "${user}" VALUES ('u1', 'Ada', 'a@example.com', 1, '${CREATED}', 0), ('u2', '', 'b@example.com', 0, 1709209800, 1);
      INSERT INTO "${account}" VALUES ('a1', 'u1', 'google', NULL), ('a2', 'u1', 'credential', '${hash}'), ('a3', 'u2', 'google', 'x')`);
    const { format, lines } = await linesOf(path);
    assert.equal(format, "better-auth");
    assert.deepEqual(lines, [wanted, { external_id: "u2", email: "b@example.com", email_verified: false, created_at: CREATED, is_active: false }]);
  }
  const entry = { id: "u1", name: "Ada", email: "a@example.com", emailVerified: true, createdAt: CREATED, password: hash };
  const past = { ...entry, banned: true, banExpires: "2001-01-01T00:00:00Z" };
  const { lines } = await linesOf(fileOf(ndjson(entry, past, { ...entry, isAnonymous: true })), { format: "better-auth" });
  assert.deepEqual(lines, [wanted, wanted, "anonymous"]);
});

test("Kratos: identities as lines and as a list, with its own forms of hashes", async () => {
  const [salt, key] = [SALT, scryptSync(PASSWORD, SALT, 32, { N: 1024, r: 8, p: 1 })].map((bytes) => bytes.toString("base64"));
  const rounds = pbkdf2Sync(PASSWORD, SALT, 1000, 32, "sha256").toString("base64").replace("=", "");
  const hashes = [
    BCRYPT,
    `$scrypt$ln=1024,r=8,p=1$${salt}$${key}`,
    `$pbkdf2-sha256$i=1000,l=256$${salt.replace(/=+$/, "")}$${rounds}`,
    `$firescrypt$ln=14,r=8,p=1$c2FsdA==$aGFzaA==$Bw==$${SIGNER_KEY}`,
    "$md5$pf=e1NBTFR9$x$y",
    undefined,
  ];
  const identity = (hash) => ({
    id: "k1", schema_id: "default", state: "inactive", traits: { email: "A@example.com", name: { first: "Ada", last: "Lovelace" } }, created_at: CREATED,
    verifiable_addresses: [{ value: "a@example.com", verified: true, via: "email" }],
    credentials: { password: { config: { hashed_password: hash } } },
  });
  const identities = hashes.map(identity);
  for (const content of [ndjson(...identities), JSON.stringify(identities), JSON.stringify({ identities })]) {
    const { format, lines } = await linesOf(fileOf(content));
    assert.equal(format, "kratos");
    const members = { external_id: "k1", email: "A@example.com", email_verified: true, full_name: "Ada Lovelace", created_at: CREATED, is_active: false };
    assert.deepEqual(lines[0], { ...members, password_hash: BCRYPT });
    assertVerifies(lines[1].password_hash);
    assertVerifies(lines[2].password_hash);
    assert.equal(lines[3].password_hash, `$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=${SIGNER_KEY}$c2FsdA==$aGFzaA==`);
    assert.deepEqual(lines.slice(4), ["hash_too_fast", members]);
  }
  const unlike = { ...identity(), verifiable_addresses: [{ value: "b@example.com", verified: true, via: "email" }], traits: { email: "a@example.com", name: "Ada" }, state: "active" };
  const { lines } = await linesOf(fileOf(ndjson(unlike)));
  assert.deepEqual(lines, [{ external_id: "k1", email: "a@example.com", email_verified: false, full_name: "Ada", created_at: CREATED }]);
});

test("entries of an unexpected form are refused one by one", async () => {
  const strange = [
    { traits: { email: {} }, id: 3 },
    { traits: [], credentials: { password: { config: { hashed_password: 7 } } }, verifiable_addresses: [null] },
    { traits: { email: "a@example.com" }, verifiable_addresses: 5 },
    { traits: { email: "a@example.com" }, created_at: "never" },
  ];
  const { items } = await linesOf(fileOf(ndjson(...strange)));
  assert.deepEqual(items.map(({ code }) => code), [...Array(3).fill("unexpected_form"), "created_at_invalid"]);
  assert.deepEqual(items.map(({ externalId }) => externalId), ["3", undefined, undefined, undefined]);
});
