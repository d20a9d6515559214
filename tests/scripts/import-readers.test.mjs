// The readers of `make import`: lines, CSV, lists within JSON documents, tables of SQLite; damaged and hostile files included.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";

import { stateFolder } from "../e2e/support/start.mjs";
import { records, rowsOfCsv } from "../../scripts/moving/csv.mjs";
import { elements } from "../../scripts/moving/json-list.mjs";
import { lines } from "../../scripts/moving/lines.mjs";
import { moment, truth } from "../../scripts/moving/values.mjs";
import { all, fileOf as file, openFile as source } from "./support/import-source.mjs";

const LONG = "x".repeat(10 * 1024 * 1024);
const BAD_UTF8 = Buffer.from([0x61, 0xff, 0xfe]);

const bytes = (...parts) => Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));

test("lines end with LF or CRLF; a mark, empty lines and a missing last end do not matter", async () => {
  const path = file('\ufeff{"a":1}\r\n\r\n\n {"b":2} \n{"c":3}');
  assert.deepEqual(await all(lines(path)), [
    { line: 1, text: '{"a":1}' },
    { line: 4, text: '{"b":2}' },
    { line: 5, text: '{"c":3}' },
  ]);
  assert.deepEqual(await all(lines(file(""))), []);
});

test("a line of 10 MB and one that is not UTF-8 are reported, and the next ones are read", async () => {
  const path = file(bytes("one\n", LONG, "\ntwo\n", BAD_UTF8, "\nthree\n", LONG));
  assert.deepEqual(await all(lines(path)), [
    { line: 1, text: "one" },
    { line: 2, code: "line_too_long" },
    { line: 3, text: "two" },
    { line: 4, code: "not_utf8" },
    { line: 5, text: "three" },
    { line: 6, code: "line_too_long" },
  ]);
});

test("CSV has quotes, commas and line feeds within them, and empty fields", async () => {
  const text = '\ufeffemail,name\r\na@example.com,"Ada ""the first"", of\r\nmany"\r\n\r\n"",\nlast@example.com,x';
  assert.deepEqual(await all(rowsOfCsv(file(text))), [
    { line: 2, record: { email: "a@example.com", name: 'Ada "the first", of\r\nmany' } },
    { line: 5, record: { email: "", name: "" } },
    { line: 6, record: { email: "last@example.com", name: "x" } },
  ]);
});

test("records of CSV that are damaged are reported, and the next ones are read", async () => {
  const damaged = ['a,b,c\n', '"a"x,b\n', 'a"b,c\n', bytes(BAD_UTF8, ",b\n"), `${LONG},b\n`, "good,one\n", '"open,two'];
  const found = await all(rowsOfCsv(file(bytes("email,name\n", ...damaged))));
  const codes = ["csv_wrong_fields", "csv_malformed", "csv_malformed", "not_utf8", "line_too_long", undefined, "csv_malformed"];
  assert.deepEqual(found.map(({ code }) => code), codes);
  assert.deepEqual(found.map(({ line }) => line), [2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(found[5].record, { email: "good", name: "one" });
  for (const header of ["email;name\na;b", "email,email\na,b", bytes(BAD_UTF8, "\na")]) {
    await assert.rejects(all(rowsOfCsv(file(header))), /no commas|names a column twice|cannot be read/);
  }
});

test("CSV is read in pieces of any length", async () => {
  const row = (number) => `user${number}@example.com,"Name, ""number"" ${number}"\n`;
  const count = 20_000;
  const text = Array.from({ length: count }, (_, number) => row(number)).join("");
  const found = await all(records(file(text)));
  assert.equal(found.length, count);
  assert.deepEqual(found[count - 1], { line: count, fields: [`user${count - 1}@example.com`, `Name, "number" ${count - 1}`] });
});

const textsOf = (found) => found.map(({ text, code }) => (code ? code : JSON.parse(text)));

test("the elements of a list are read from the top of a document, or from its member", async () => {
  const list = '[ {"a":"]},\\"["}, [1,[2]], "x,y", 3 ,null ]';
  const wanted = [{ a: ']},"[' }, [1, [2]], "x,y", 3, null];
  assert.deepEqual(textsOf(await all(elements(file(list), []))), wanted);
  const document = `\ufeff{"users_":[1],"other":{"users":[2,{"users":[3]}]},\n"users":${list},"after":[4],"text":"users"}\n`;
  const found = await all(elements(file(document), ["users"]));
  assert.deepEqual(textsOf(found), wanted);
  assert.deepEqual(found.map(({ line }) => line), [1, 2, 3, 4, 5]);
  assert.deepEqual(await all(elements(file('{"users":[]}'), ["users"])), []);
  assert.deepEqual(await all(elements(file(" [ ] "), [])), []);
});

test("long elements and damaged ones are reported, and the next ones are read", async () => {
  const document = bytes('{"users":[{"a":"', LONG, '"},{"b":"', BAD_UTF8, '"},{"c":1}]}');
  assert.deepEqual(textsOf(await all(elements(file(document), ["users"]))), ["line_too_long", "not_utf8", { c: 1 }]);
});

test("a JSON document that is cut off, damaged, or without users stops the import", async () => {
  const faults = [
    ['{"users":[{"a":1},{"b"', /cut off/],
    ['[{"a":1},', /cut off/],
    ['[{"a":1}', /cut off/],
    ['{"users":[{"a":1]}', /do not match/],
    ['[{"a":1}][{"b":2}]', /second one/],
    ['{"people":[1]}', /no list of users/],
    ['"text"', /no list of users/],
    ["42", /no JSON document/],
    ["[".repeat(100_000), /within each other/],
  ];
  for (const [text, message] of faults) {
    await assert.rejects(all(elements(file(text), ["users"])), message, text.slice(0, 30));
  }
});

test("a JSON document of 40 MB takes no more memory than one of its elements", async () => {
  const path = file(`{"users":[${Array.from({ length: 40 }, () => `{"a":"${"y".repeat(1_000_000)}"}`).join(",")}]}`);
  let [count, peak] = [0, 0];
  const before = process.memoryUsage().rss;
  for await (const { text } of elements(path, ["users"])) {
    count += text.length > 1_000_000 ? 1 : 0;
    peak = Math.max(peak, process.memoryUsage().rss - before);
  }
  assert.equal(count, 40);
  assert.ok(peak < 150 * 1024 * 1024, `${peak}`);
});

test("moments of databases are read as UTC unless they have a zone", () => {
  const moments = [
    ["2024-02-29 12:30:00.123456", "2024-02-29T12:30:00.123Z"],
    ["2024-02-29 12:30:00", "2024-02-29T12:30:00.000Z"],
    ["2024-02-29 12:30:00.5+00", "2024-02-29T12:30:00.500Z"],
    ["2024-02-29T12:30:00+02:00", "2024-02-29T10:30:00.000Z"],
    ["2024-02-29 12:30:00.000000-0330", "2024-02-29T16:00:00.000Z"],
    ["2024-02-29T12:30:00.000Z", "2024-02-29T12:30:00.000Z"],
    ["2024-02-29 12:30:00 UTC", "2024-02-29T12:30:00.000Z"],
    ["2024-02-29", "2024-02-29T00:00:00.000Z"],
    ["1709209800000", "2024-02-29T12:30:00.000Z"],
    [1709209800000, "2024-02-29T12:30:00.000Z"],
    [1709209800, "2024-02-29T12:30:00.000Z"],
    ["1709209800.25", "2024-02-29T12:30:00.250Z"],
  ];
  assert.deepEqual(moments.map(([value]) => moment(value)), moments.map(([, read]) => read));
  for (const none of [undefined, null, "", "null", "\\N"]) {
    assert.equal(moment(none), undefined);
  }
  for (const wrong of ["yesterday", "2024-02-30", "2024-13-01 00:00:00", "2024-01-01 25:00:00", "infinity", {}, "1e400", "99999999999999999"]) {
    assert.throws(() => moment(wrong), { code: "created_at_invalid" }, String(wrong));
  }
});

test("truth values are those of databases and CSV", () => {
  assert.deepEqual(["t", "TRUE", 1, true, "1", "yes"].map((value) => truth(value, "x")), Array(6).fill(true));
  assert.deepEqual(["f", "False", 0, false, "0", "no"].map((value) => truth(value, "x")), Array(6).fill(false));
  assert.deepEqual([undefined, null, "", "NULL"].map((value) => truth(value, "x")), Array(4).fill(undefined));
  for (const wrong of ["maybe", 2, {}]) {
    assert.throws(() => truth(wrong, "is_active_invalid"), { code: "is_active_invalid" });
  }
});

test("a table of SQLite is read while another process writes to it", async () => {
  const path = file("", "app.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, hashed_password BLOB, created_at TEXT)");
  const insert = database.prepare("INSERT INTO users (email, hashed_password, created_at) VALUES (?, ?, ?)");
  database.exec("BEGIN");
  for (let number = 1; number <= 1200; number += 1) {
    insert.run(`user${number}@example.com`, Buffer.from("$2b$04$hash"), "2024-01-01 00:00:00");
  }
  database.exec("COMMIT");
  let count = 0;
  for await (const { text } of source(path).items()) {
    count += 1;
    if (count === 100) {
      database.exec("UPDATE users SET email = 'changed@example.com' WHERE id = 1200");
    }
    const { external_id: id, email, password_hash: hash } = JSON.parse(text);
    assert.deepEqual([id, email, hash], [String(count), count === 1200 ? "changed@example.com" : `user${count}@example.com`, "$2b$04$hash"]);
  }
  assert.equal(count, 1200);
});

test("an SQLite file in UTF-16 is read", async () => {
  const path = file("", "app.db");
  const database = new DatabaseSync(path);
  database.exec("PRAGMA encoding = 'UTF-16le'; CREATE TABLE users (id, email, hashed_password); INSERT INTO users VALUES ('é', 'a@é.example', 'h')");
  const [{ text }] = await all(source(path).items());
  assert.deepEqual(JSON.parse(text), { external_id: "é", email: "a@é.example", password_hash: "h" });
});

test("damaged texts, large numbers and NULs in SQLite are no harm", async () => {
  const path = file("", "app.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, email, hashed_password)");
  database.exec("INSERT INTO users VALUES (1, CAST(x'61ff' AS TEXT), 'h'), (9223372036854775807, 'b@example.com', 5), (-3, 'a' || char(0), NULL)");
  const found = await all(source(path).items());
  assert.deepEqual(found.map(({ code, text }) => code ?? JSON.parse(text)), [
    { external_id: "-3", email: "a\0" },
    "not_utf8",
    { external_id: "9223372036854775807", email: "b@example.com", password_hash: 5 },
  ]);
});

test("a source that is none is refused with its reason", async () => {
  const folder = join(stateFolder(), "folder");
  mkdirSync(folder);
  const faults = [
    [join(folder, "none"), {}, /There is no file/],
    [folder, {}, /is no file/],
    [file("SQLite format 3\0garbage"), {}, /cannot be read/],
    [file('{"a":1}\n{"a":2}\n'), {}, /does not tell its format: set FORMAT=/],
    [file("a,b\n1,2\n"), {}, /does not tell its format/],
    [file("[1]"), { format: "csv" }, /is a JSON document, and the format csv is CSV/],
    [file("[1]"), { format: "toml" }, /There is no format toml/],
    [file("email\na"), { map: "email" }, /MAP= is a list/],
    [file("email\na"), { map: "password:x" }, /MAP= is a list/],
    [file('[{"localId":"1"}]'), { map: "email:x" }, /MAP= applies/],
  ];
  for (const [from, options, message] of faults) {
    assert.throws(() => source(from, options), message, from);
  }
  await assert.rejects(all(source(file("email\na@example.com"), { map: "full_name:lost" }).items()), /does not have: lost/);
  assert.deepEqual(await all(source(file("  \n")).items()), []);
});
