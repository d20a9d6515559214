// Imports of users over HTTP: bodies in every size and shape, slow and broken transfers, hostile lines, and other requests beside
// an import. At this level, because the body passes through the runtime's reader in pieces that a client chooses. The rules for
// lines are tested in process (`tests/api/import_*.rs`); failures and races are in import-failures.test.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { login, send } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertSuccess } from "./support/envelope.mjs";
import { phc } from "./support/hashes.mjs";
import {
  anyHash,
  assertStored,
  countsOf,
  fileOf,
  IMPORT,
  imported,
  importUsers,
  LINES,
  MAX_BYTES,
  MAX_LINES,
  newImporter,
  newLine,
  newLines,
  outcomesOf,
  padded,
  SETTINGS,
  storedOf,
  TOO_COSTLY,
} from "./support/imports.mjs";
import { logged } from "./support/logs.mjs";
import { startService } from "./support/service.mjs";
import { CHUNKED, unfinished } from "./support/slow.mjs";

const KIB = 1024;
const BCRYPT = "$2b$10$ABCDEFGHIJKLMNOPQRSTUu";
/** Lengths of pieces that end anywhere in a letter or a line. */
const ODD = [1, 2, 3, 7, 977, 4_099, 16_381, 65_521];

let service, key;
before(async () => {
  service = await startService({ settings: SETTINGS });
  ({ key } = await newImporter(service));
});
after(() => service.stop());

const refuse = async (body, status, code) => assertEnvelope(await importUsers(service, key, body), status, code);
const countUsers = async () => (await rows(service.db, "SELECT count(*) AS count FROM users"))[0].count;

/** As many lines of two kilobytes as a request may have, with letters of two to four bytes and Windows' line breaks. */
function largeFile() {
  const lines = newLines(MAX_LINES).map((line, index) => {
    const name = `${line.full_name} ${"é".repeat(80)}${"語".repeat(50)}`;
    return { ...line, external_id: `${index} ${line.external_id} ${"🜍".repeat(150)}`, full_name: name, email: line.email };
  });
  const text = lines.map((line) => JSON.stringify(line).padEnd(1_600));
  return { lines, file: padded(fileOf(text, "\r\n"), MAX_BYTES) };
}

function cut(file, lengths) {
  const pieces = [];
  for (let at = 0; at < file.length; at += pieces.at(-1).length) {
    pieces.push(file.subarray(at, at + lengths[pieces.length % lengths.length]));
  }
  return pieces;
}

test("500 lines of exactly 1 MiB are one request, with Content-Length", async () => {
  const { lines, file } = largeFile();
  assert.equal(file.length, MAX_BYTES);
  const outcomes = await imported(service, key, file);
  const expected = ({ external_id }, index) => ({ line: index + 1, external_id, outcome: "created", costlier: true });
  assert.deepEqual(outcomes, lines.map(expected));
  await assertStored(service.db, lines);
});

test("the same in chunks of odd lengths, which split letters and line breaks", async () => {
  const { lines, file } = largeFile();
  const pieces = cut(file, ODD);
  const beginsWithin = (first, last) => pieces.slice(1).filter((piece) => piece[0] >= first && piece[0] <= last).length;
  assert.ok(beginsWithin(0x80, 0xbf) > 5, "letters are split");
  // The last line break, too.
  const split = pieces.slice(0, -1).concat([pieces.at(-1).subarray(0, -1), pieces.at(-1).subarray(-1)]);
  assert.deepEqual(countsOf(await imported(service, key, split)), { created: MAX_LINES });
  await assertStored(service.db, lines);
});

test("a line that is sent byte by byte, and a last line without its end", async () => {
  const [first, second] = [newLine({ full_name: "Zoë 👩🏽‍💻 ﷽" }), newLine()];
  const file = fileOf([first, "", second], "\r\n").subarray(0, -2);
  const outcomes = await imported(service, key, cut(file, [1]));
  assert.deepEqual(outcomes.map(({ line, outcome }) => [line, outcome]), [[1, "created"], [3, "created"]]);
  await assertStored(service.db, [first, second]);
});

test("a byte more than 1 MiB, and a line more than 500, are refused as a whole", async () => {
  const users = await countUsers();
  const large = padded(fileOf(newLines(2)), MAX_BYTES + 1);
  const many = fileOf(newLines(MAX_LINES + 1));
  for (const file of [large, many, Buffer.alloc(MAX_LINES + 1, "\n")]) {
    await refuse(file, 413, "PAYLOAD_TOO_LARGE");
    await refuse(cut(file, [60_000]), 413, "PAYLOAD_TOO_LARGE");
  }
  assert.equal(await countUsers(), users, "nothing was written");
});

test("a line of 10 MB is refused by its announced length, and while it is sent", async () => {
  const headers = { ...LINES, Authorization: `Bearer ${key}` };
  const announced = { headers: { ...headers, "Content-Length": 10_000_000 }, begin: "x" };
  // The service reads pieces of 64 KiB.
  const sent = MAX_BYTES + 64 * KIB;
  const begin = `${sent.toString(16)}\r\n${"x".repeat(sent)}\r\n`;
  for (const request of [announced, { headers: { ...headers, ...CHUNKED }, begin }]) {
    const { status, body, ms } = await unfinished(service, IMPORT, request).answered;
    assert.deepEqual([status, body.error.code], [413, "PAYLOAD_TOO_LARGE"]);
    assert.ok(ms < 9_000, `${ms} ms`);
  }
});

test("a body that is not complete after ten seconds is refused, and none of its lines is written", async () => {
  const lines = newLines(3);
  const file = fileOf(lines);
  const headers = { ...LINES, Authorization: `Bearer ${key}` };
  const begin = `${file.length.toString(16)}\r\n${file}\r\n`;
  const silent = unfinished(service, IMPORT, { headers: { ...headers, ...CHUNKED }, begin });
  const trickling = unfinished(service, IMPORT, { headers: { ...headers, ...CHUNKED }, begin, trickle: "1\r\n\n\r\n" });
  const announced = unfinished(service, IMPORT, { headers: { ...headers, "Content-Length": file.length + 1 }, begin: String(file) });
  for (const { status, body, ms } of await Promise.all([silent, trickling, announced].map(({ answered }) => answered))) {
    assert.deepEqual([status, body.error.code], [408, "REQUEST_TIMEOUT"]);
    assert.ok(ms >= 9_900 && ms < 15_000, `${ms} ms`);
  }
  assert.deepEqual(await storedOf(service.db, lines), []);
});

test("a transfer that breaks writes nothing, and the same lines can be sent again", async () => {
  const lines = newLines(100);
  const file = fileOf(lines);
  const headers = { ...LINES, Authorization: `Bearer ${key}` };
  const half = file.subarray(0, file.length / 2);
  const ways = {
    "broken-1": { headers: { ...headers, "Content-Length": file.length }, begin: String(half) },
    "broken-2": { headers: { ...headers, ...CHUNKED }, begin: `${half.length.toString(16)}\r\n${half}\r\n` },
    "broken-3": { headers: { ...headers, ...CHUNKED }, begin: `${(half.length + 5).toString(16)}\r\n${half}` },
  };
  for (const [id, { headers, begin }] of Object.entries(ways)) {
    const { answered, hangUp } = unfinished(service, IMPORT, { headers: { ...headers, "X-Request-ID": id }, begin });
    await service.logged((line) => line.message === "Request started" && line.request_id === id);
    hangUp();
    assert.equal((await answered).status, undefined);
  }
  assert.deepEqual(await storedOf(service.db, lines), []);
  assert.deepEqual(countsOf(await imported(service, key, file)), { created: 100 });
  assert.deepEqual(await logged(service, (line) => line.level === "ERROR"), []);
});

/** Hostile lines with the code of their refusal, `changes` to a good line or the line itself. */
const HOSTILE = [
  ["not_json", '{"email":'],
  ["not_json", "[]"],
  ["not_json", "null"],
  ["not_json", '"text"'],
  ["not_json", "{}{}"],
  ["not_json", "\u0000"],
  ["not_json", '{"email":"a\u0000@mail.example"}'],
  ["not_json", '{"email":"\\ud800@mail.example"}'],
  ["not_json", `\ufeff${JSON.stringify(newLine())}`],
  ["not_json", "[".repeat(16_000)],
  ["not_json", `{"roles":${"[".repeat(8_000)}${"]".repeat(8_000)}}`],
  ["duplicate_member", '{"email":"a@mail.example","email":"b@mail.example"}'],
  ["duplicate_member", '{"email":"a@mail.example","\\u0065mail":"b@mail.example"}'],
  ["duplicate_member", '{"email":"a@mail.example","x":1,"x":1}'],
  ...[[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]].map((bytes) => {
    return ["not_utf8", Buffer.concat([Buffer.from('{"email":"a'), Buffer.from(bytes), Buffer.from('@mail.example"}')])];
  }),
  ["line_too_long", JSON.stringify(newLine()).padEnd(16 * KIB + 1)],
  ["unknown_member", { ["__proto__\u0000"]: 1 }],
  ["unknown_member", '{"email":"proto@mail.example","__proto__":{"is_active":true}}'],
  ["unknown_member", { password: "plain text" }],
  ["external_id_invalid", { external_id: 7 }],
  ["external_id_invalid", { external_id: "nul\u0000" }],
  ["external_id_invalid", { external_id: "x".repeat(201) }],
  ["email_invalid", { email: "nul\u0000@mail.example" }],
  ["email_invalid", { email: ["a@mail.example"] }],
  ["full_name_invalid", { full_name: "nul\u0000" }],
  ["created_at_invalid", { created_at: "2999-01-01T00:00:00Z" }],
  ["role_not_allowed", { roles: [{ role: "PLATFORM_ADMIN" }] }],
  ["hash_too_costly", { password_hash: TOO_COSTLY }],
  ["hash_too_costly", { password_hash: `$argon2id$v=19$m=4294967295,t=1,p=1$${"A".repeat(22)}$${"A".repeat(43)}` }],
  ["hash_too_costly", { password_hash: `$scrypt$ln=31,r=8,p=1$${"A".repeat(22)}$${"A".repeat(43)}` }],
  ["hash_too_costly", { password_hash: `$pbkdf2-sha256$4294967295$${"A".repeat(22)}$${"A".repeat(43)}` }],
  ["hash_unknown", { password_hash: TOO_COSTLY.replace("$2b$31$", "$2x$10$") }],
  ["hash_unknown", { password_hash: `imported:${anyHash()}` }],
  ["hash_malformed", { password_hash: BCRYPT }],
  ["hash_malformed", { password_hash: anyHash().slice(0, -1) }],
  ["hash_malformed", { password_hash: `${anyHash()}x` }],
  ["hash_malformed", { password_hash: `${anyHash().slice(0, -2)}\u0000u` }],
  ["hash_malformed", { password_hash: TOO_COSTLY.replace("$31$", "$32$") }],
  ["hash_malformed", { password_hash: "$2b$10$" }],
  ["hash_too_fast", { password_hash: "5f4dcc3b5aa765d61d8327deb882cf99" }],
  ["hash_too_fast", { password_hash: anyHash().replace("$10$", "$04$") }],
];

test("each hostile line is refused by its code, and its neighbours come in", async () => {
  const isLine = (given) => typeof given === "string" || Buffer.isBuffer(given);
  const hostile = HOSTILE.map(([, given]) => (isLine(given) ? given : newLine(given)));
  const good = newLines(MAX_LINES - hostile.length);
  // Each hostile line between good ones.
  const lines = good.flatMap((line, index) => (index < hostile.length ? [line, hostile[index]] : [line]));
  const outcomes = await imported(service, key, cut(fileOf(lines), ODD));
  assert.equal(outcomes.length, MAX_LINES);
  HOSTILE.forEach(([code, given], index) => {
    const { line, outcome, code: found } = outcomes[2 * index + 1];
    const text = String(isLine(given) ? given : JSON.stringify(given)).slice(0, 80);
    assert.deepEqual([line, outcome, found], [2 * index + 2, "refused", code], text);
  });
  assert.deepEqual(countsOf(outcomes.filter(({ outcome }) => outcome !== "refused")), { created: good.length });
  await assertStored(service.db, good);
});

test("a dry run says the same, and writes nothing", async () => {
  const [line, costly] = [newLine(), newLine({ password_hash: TOO_COSTLY })];
  const before = await countUsers();
  const outcomes = outcomesOf(await importUsers(service, key, fileOf([line, costly]), { query: "?dry_run=true" }));
  assert.deepEqual(outcomes.map(({ outcome, code }) => code ?? outcome), ["created", "hash_too_costly"]);
  assert.equal(await countUsers(), before);
  assert.equal((await send(service, IMPORT, { headers: { Authorization: `Bearer ${key}` } })).status, 405);
});

test("an imported user signs in by the old password, which replaces the hash; a later import changes nothing", async () => {
  const password = "correct horse battery staple";
  const line = newLine({ password_hash: phc(password, 10_000) });
  await imported(service, key, fileOf([line]));
  assertEnvelope(await login(service, { ...line, password: `${password}!` }), 401, "AUTH_INVALID_CREDENTIALS");
  await assertStored(service.db, [line]);
  assertSuccess(await login(service, { ...line, password }), 200);
  const [{ password_hash: replaced }] = await storedOf(service.db, [line]);
  assert.match(replaced, /^\$pbkdf2-sha256\$i=1000,l=32\$/);
  const later = { ...line, full_name: "Another", password_hash: anyHash() };
  assert.deepEqual(countsOf(await imported(service, key, fileOf([later, { ...later, external_id: "another" }]))), { exists: 2 });
  assertSuccess(await login(service, { ...line, password }), 200);
  assert.equal((await storedOf(service.db, [line]))[0].full_name, line.full_name);
});
