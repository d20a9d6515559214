// The client of `make import` against a service that is busy, breaks down, or breaks off its answers.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { chunks } from "../../scripts/moving/chunks.mjs";
import { Client } from "../../scripts/moving/client.mjs";
import { accepts, checkedUrl } from "../../scripts/moving/service.mjs";
import { POISON, startImportService } from "./support/import-service.mjs";

const KEY = `ea_sk_1_${"0".repeat(64)}_00000000`;
const texts = (count) => Array.from({ length: count }, (_, number) => JSON.stringify({ external_id: `${number}`, email: `u${number}@example.com` }));
const outcomesOf = (answers) => answers.map(({ outcome, code }) => code ?? outcome);

/** A client that notes its pauses and does not wait. */
async function start(t, { fault, patience, ...options } = {}) {
  const service = await startImportService(t, { fault, ...options });
  const pauses = [];
  const wait = async (milliseconds) => void pauses.push(milliseconds);
  return { service, pauses, client: new Client({ url: `${service.url}/`, key: KEY, patience, wait }) };
}

/** The faults of the first requests; the next ones have none. */
const faults = (...list) => (number) => list[number - 1];

test("each line has its outcome", async (t) => {
  const { service, client, pauses } = await start(t);
  const lines = [...texts(3), "nonsense", JSON.stringify({ email: "refused@example.com" }), texts(1)[0]];
  assert.deepEqual(outcomesOf(await client.send(lines)), ["created", "created", "created", "not_json", "hash_too_costly", "exists"]);
  assert.equal(service.accounts.size, 3);
  assert.deepEqual(pauses, []);
});

test("a busy service is asked again when it says", async (t) => {
  const busy = { status: 429, headers: { "Retry-After": "7" } };
  const absurd = { status: 503, headers: { "Retry-After": "100000" } };
  const { client, pauses, service } = await start(t, { fault: faults(busy, absurd, { status: 503 }, { status: 500 }) });
  assert.deepEqual(outcomesOf(await client.send(texts(2))), ["created", "created"]);
  assert.deepEqual(pauses.slice(0, 2), [7000, 120_000]);
  assert.equal(service.requests.length, 5);
  assert.ok(pauses[2] < pauses[3], "the pauses grow where the service names none");
});

test("lines that were not written are sent again, and no others", async (t) => {
  const { client, service } = await start(t, { fault: faults({ unwritten: 3 }, { unwritten: 1 }) });
  assert.deepEqual(outcomesOf(await client.send(texts(5))), Array(5).fill("created"));
  assert.deepEqual(service.requests.map(({ lines }) => lines), [5, 3, 1]);
});

test("an answer that breaks off counts as far as it came", async (t) => {
  const { client, service } = await start(t, { fault: faults({ cut: 2 }, { cut: 0 }) });
  assert.deepEqual(outcomesOf(await client.send(texts(4))), Array(4).fill("created"));
  assert.deepEqual(service.requests.map(({ lines }) => lines), [4, 2, 2]);
});

test("a service that is away is waited for", async (t) => {
  const { service, client } = await start(t);
  const away = createServer();
  await new Promise((done) => away.listen(0, "127.0.0.1", done));
  const { port } = away.address();
  await new Promise((done) => away.close(done));
  let pauses = 0;
  const comesUp = async () => {
    pauses += 1;
    if (pauses === 3) {
      const proxy = createServer((request, response) => fetchInto(`${service.url}${request.url}`, request, response));
      await new Promise((done) => proxy.listen(port, "127.0.0.1", done));
      t.after(() => proxy.closeAllConnections() ?? proxy.close());
    }
  };
  const patient = new Client({ url: `http://127.0.0.1:${port}`, key: KEY, wait: comesUp });
  assert.deepEqual(outcomesOf(await patient.send(texts(1))), ["created"]);
  assert.deepEqual(outcomesOf(await client.send(texts(1))), ["exists"]);
  const impatient = new Client({ url: "http://127.0.0.1:9", key: KEY, wait: async () => {}, patience: 10_000 });
  await assert.rejects(impatient.send(texts(1)), /does not take the lines: no answer \(/);
});

async function fetchInto(url, request, response) {
  const { method, headers } = request;
  const answer = await fetch(url, { method, headers: { authorization: headers.authorization }, body: request, duplex: "half" });
  response.writeHead(answer.status).end(await answer.text());
}

test("it gives up when nothing moves on, and names the reason", async (t) => {
  const { client, pauses } = await start(t, { fault: () => ({ status: 503, code: "SERVICE_UNAVAILABLE" }), patience: 10_000 });
  await assert.rejects(client.send(texts(1)), /^Error: The service does not take the lines: it answers 503 SERVICE_UNAVAILABLE\.$/);
  assert.ok(pauses.length > 0 && pauses.length < 20);
  const failing = await start(t, { fault: (_, lines) => ({ unwritten: lines.length }), patience: 10_000 });
  await assert.rejects(failing.client.send(texts(3)), /does not take the lines: 3 of them were not written\./);
});

const poisoned = (number) => JSON.stringify({ external_id: `bad${number}`, email: POISON });

test("a line that makes others fail is found, and fails alone", async (t) => {
  for (const [before, after] of [[0, 499], [249, 250], [499, 0], [3, 0], [0, 1]]) {
    const { client, service, pauses } = await start(t, { patience: 20_000 });
    const all = texts(before + after);
    const lines = [...all.slice(0, before), poisoned(1), ...all.slice(before)];
    const outcomes = outcomesOf(await client.send(lines));
    assert.equal(outcomes[before], "unavailable");
    assert.deepEqual(outcomes.toSpliced(before, 1), Array(before + after).fill("created"));
    const seconds = pauses.reduce((sum, pause) => sum + pause, 0) / 1000;
    assert.ok(service.requests.length < 30 && seconds < 60, `${service.requests.length} requests, ${seconds} seconds of pauses`);
    assert.deepEqual(outcomesOf(await client.send(texts(1))), ["exists"], "the client goes on");
  }
});

test("several such lines do not stop the import", async (t) => {
  const { client, service } = await start(t, { patience: 60_000 });
  const lines = texts(500).flatMap((text, number) => (number % 50 === 7 ? [text, poisoned(number)] : [text])).slice(0, 500);
  const outcomes = outcomesOf(await client.send(lines));
  const expected = lines.map((line) => (line.includes(POISON) ? "unavailable" : "created"));
  assert.deepEqual(outcomes, expected);
  assert.equal(service.accounts.size, expected.filter((outcome) => outcome === "created").length);
});

test("a line that fails without others is repeated for as long as the service may be ill, and given up alone", async (t) => {
  const { client, pauses } = await start(t, { patience: 20_000 });
  assert.deepEqual(outcomesOf(await client.send([poisoned(1)])), ["unavailable"]);
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000]);
  // The same for the only line of a chunk that is not here yet.
  await client.send(texts(20));
  assert.deepEqual(outcomesOf(await client.send([...texts(20), poisoned(1)])), [...Array(20).fill("exists"), "unavailable"]);
  const ill = await start(t, { fault: (number, lines) => (number < 5 ? { unwritten: lines.length } : { status: 503 }), patience: 20_000 });
  await assert.rejects(ill.client.send(texts(1)), /it answers 503/, "no answer is no failure of the line");
});

test("an outage in the middle gives no line up", async (t) => {
  const { client } = await start(t, { fault: (number, lines) => ({ unwritten: number > 4 && number < 16 ? lines.length : lines.length > 4 ? lines.length - 1 : 0 }) });
  assert.deepEqual(outcomesOf(await client.send(texts(40))), Array(40).fill("created"));
});

test("a connection too slow for a request gets smaller ones, down to a line", async (t) => {
  const { client, service, pauses } = await start(t, { fault: (_, lines) => (lines.length > 60 ? { status: 408 } : undefined) });
  assert.deepEqual(outcomesOf(await client.send(texts(500))), Array(500).fill("created"));
  const sizes = service.requests.map(({ lines }) => lines);
  assert.deepEqual(sizes.slice(0, 4), [500, 250, 125, 63]);
  assert.ok(sizes.slice(4).every((size) => size <= 32), String(sizes));
  assert.deepEqual(pauses.filter((pause) => pause > 1000), []);
  await client.send(texts(100));
  assert.ok(service.requests.slice(sizes.length).every(({ lines }) => lines <= 32), "the next chunk does not begin anew");

  const slow = await start(t, { fault: (number, lines) => (lines.length > 1 ? { status: 408 } : undefined) });
  assert.deepEqual(outcomesOf(await slow.client.send(texts(5))), Array(5).fill("created"));
  const slower = await start(t, { fault: () => ({ status: 408 }), patience: 10_000 });
  await assert.rejects(slower.client.send(texts(5)), /it answers 408/);
});

test("another program on the port is not taken for the service", async (t) => {
  let answer;
  const server = createServer((_, response) => response.writeHead(answer.status, answer.headers).end(answer.body));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}`;
  const json = { "Content-Type": "application/json" };
  const busy = JSON.stringify({ error: { code: "RATE_LIMITED" }, request_id: "r" });
  const cases = [
    [true, { status: 200, headers: { "Content-Type": "application/x-ndjson" }, body: "" }],
    [true, { status: 429, headers: json, body: busy }],
    [true, { status: 503, headers: json, body: busy }],
    [false, { status: 200, headers: { "Content-Type": "text/html" }, body: "<!doctype html>" }],
    [false, { status: 200, headers: {}, body: "" }],
    [false, { status: 429, headers: json, body: "Too many requests" }],
    [false, { status: 503, headers: json, body: JSON.stringify({ error: "busy", request_id: "r" }) }],
    [false, { status: 503, headers: json, body: JSON.stringify({ error: { code: "BUSY" } }) }],
    [false, { status: 503, headers: json, body: busy.padEnd(10_000_000) + "x" }],
    [false, { status: 401, headers: json, body: busy }],
  ];
  for (const [isService, given] of cases) {
    answer = given;
    assert.equal(await accepts(url, KEY), isService, JSON.stringify(given).slice(0, 100));
  }
  assert.equal(await accepts("http://127.0.0.1:9", KEY), false);
  const service = await startImportService(t);
  assert.equal(await accepts(service.url, KEY), true);
});

test("a refusal that stays is not repeated", async (t) => {
  const cases = [
    [{ status: 401, code: "AUTH_API_KEY_INVALID" }, /refuses the key \(401 AUTH_API_KEY_INVALID\)/],
    [{ status: 403, code: "FORBIDDEN" }, /refuses the key/],
    [{ status: 404 }, /404.*base path/],
    [{ status: 413 }, /refuses the import: 413/],
    [{ status: 302, headers: { Location: "https://elsewhere.example" } }, /refuses the import: 302/],
  ];
  for (const [fault, message] of cases) {
    const { client, service } = await start(t, { fault: () => fault });
    await assert.rejects(client.send(texts(1)), message);
    assert.equal(service.requests.length, 1);
  }
});

test("a right that was taken away stops the import", async (t) => {
  const server = createServer((_, response) => response.end('{"line":1,"outcome":"failed","code":"stopped"}\n'));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const client = new Client({ url: `http://127.0.0.1:${server.address().port}`, key: KEY });
  await assert.rejects(client.send(texts(1)), /right to import was taken away/);
});

test("an answer that is no answer stops the import", async (t) => {
  let body;
  const server = createServer((_, response) => response.end(body));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const client = new Client({ url: `http://127.0.0.1:${server.address().port}`, key: KEY });
  for (body of ["<html>\n", '{"line":2,"outcome":"created"}\n', '{"line":1,"outcome":"done"}\n', "null\n", "x".repeat(5_000_000)]) {
    await assert.rejects(client.send(texts(1)), /not that of an import|has no end/, body.slice(0, 20));
  }
});

test("an interruption ends a request and a pause", async (t) => {
  const controller = new AbortController();
  const service = await startImportService(t, { fault: () => ({ held: new Promise(() => {}) }) });
  const client = new Client({ url: service.url, key: KEY, signal: controller.signal });
  const sending = client.send(texts(1));
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(sending, { name: "AbortError" });
});

test("chunks keep the limits of a request", async () => {
  const items = Array.from({ length: 1203 }, (_, line) => (line % 3 === 0 ? { line, code: "not_json" } : { line, text: "x" }));
  const found = [];
  for await (const chunk of chunks(items)) found.push(chunk);
  assert.deepEqual(found.map((chunk) => chunk.length), [500, 500, 203]);
  assert.deepEqual(found.flat(), items);
  const large = Array.from({ length: 200 }, (_, line) => ({ line, text: "é".repeat(8000) }));
  for await (const chunk of chunks(large)) {
    assert.ok(Buffer.byteLength(chunk.map(({ text }) => `${text}\n`).join("")) < 1024 * 1024);
  }
  const rest = [];
  for await (const chunk of chunks(items, 1200)) rest.push(...chunk);
  assert.deepEqual(rest, items.slice(1200));
});

test("a key is sent over https only, or to this machine", () => {
  assert.equal(checkedUrl("https://auth.example.com/api/v1/"), "https://auth.example.com/api/v1");
  assert.equal(checkedUrl("http://127.0.0.1:8787"), "http://127.0.0.1:8787");
  assert.equal(checkedUrl("http://[::1]:8787/"), "http://[::1]:8787");
  for (const wrong of ["http://auth.example.com", "auth.example.com", "ftp://x", "https://user:pw@auth.example.com", "https://a.example/?x", ""]) {
    assert.throws(() => checkedUrl(wrong), /must be an https address/, wrong);
  }
});
