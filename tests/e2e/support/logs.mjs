// The lines that the service wrote to its console.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { send } from "./client.mjs";

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** Lines about the service as a whole, not about one request. */
const WITHOUT_REQUEST = ["app.settings", "app.runtime"];

/**
 * Waits until everything that was logged so far has arrived, and returns those lines as text. The console
 * is a pipe and keeps the order: a request of our own, refused with a WARNING, marks the end.
 */
export async function loggedText(service) {
  const mark = `end-of-logs-${randomUUID()}`;
  await send(service, "/end-of-logs", { headers: { "X-Request-ID": mark } });
  await service.logged((line) => line.request_id === mark && line.level === "WARNING");
  const lines = service.logLines();
  return lines.slice(0, lines.findIndex((line) => line.includes(mark)));
}

/** The same, parsed; with a filter, those lines only. */
export async function logged(service, filter = () => true) {
  return (await loggedText(service)).map((line) => JSON.parse(line)).filter(filter);
}

/** The lines of the request that got this answer. */
export function loggedOf(service, response) {
  return logged(service, (line) => line.request_id === response.headers["x-request-id"]);
}

/** The "Request finished" lines of these answers, in their order. */
export async function accessLines(service, responses) {
  const lines = await logged(service, (line) => line.message === "Request finished");
  const byId = new Map(lines.map((line) => [line.request_id, line]));
  return responses.map(({ headers }) => {
    const id = headers["x-request-id"];
    assert.ok(byId.has(id), `no access line of ${id}`);
    return byId.get(id);
  });
}

/** One console line: one JSON object with the members that every line has. */
export function assertLogLine(text) {
  assert.doesNotMatch(text, /[\r\n]/);
  let line;
  assert.doesNotThrow(() => (line = JSON.parse(text)), `no JSON: ${text}`);
  assert.deepEqual(Object.keys(line).slice(0, 4), ["timestamp", "level", "name", "message"], text);
  assert.match(line.timestamp, TIMESTAMP);
  assert.ok(!Number.isNaN(Date.parse(line.timestamp)), text);
  assert.ok(["DEBUG", "INFO", "WARNING", "ERROR"].includes(line.level), text);
  assert.match(line.name, /^app\.[a-z_]+$/);
  assert.ok(typeof line.message === "string" && line.message !== "", text);
  if (!WITHOUT_REQUEST.includes(line.name)) {
    assert.match(line.request_id, /^[A-Za-z0-9._-]{1,128}$/, text);
  }
  for (const [name, value] of Object.entries(line)) {
    assert.ok(value === null || typeof value !== "object", `${name} is not flat: ${text}`);
  }
}
