// The parts of /console that need no browser: its names against the description of the API, rights, and sums of events.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";

import { EVENT_TYPES, SCOPES } from "../../pages/console/names.js";
import { rightsIn, rightsOf } from "../../pages/console/rights.js";
import { lowestHour, perHour, readEvents } from "../../pages/console/traffic.js";
import { commonTexts, consoleTexts } from "../../pages/texts.js";

const { schemas } = parse(readFileSync("openapi.yaml", "utf8"), { maxAliasCount: -1 }).components;
const NOW = Date.parse("2026-11-20T10:20:30Z");
const event = (created_at, type = "signed_in", count = 1) => ({ created_at, type, count });

test("events, scopes and roles are those of the description, and have words", () => {
  assert.deepEqual(EVENT_TYPES, schemas.EventType.enum);
  assert.deepEqual(SCOPES, schemas.Scope.enum);
  assert.deepEqual(Object.keys(consoleTexts.services.scopeHints), schemas.Scope.enum);
  assert.deepEqual(Object.keys(commonTexts.roles), schemas.Role.enum);
});

test("the states of readiness have words", () => {
  const { status, checks } = schemas.Readiness.properties;
  const { database, storage, circuit_breaker: breaker } = checks.properties;
  const states = [status, database, storage.properties.state, breaker.properties.state].flatMap((schema) => schema.enum);
  assert.deepEqual(states.filter((state) => consoleTexts.readiness.states[state] === undefined), []);
  assert.deepEqual(Object.keys(consoleTexts.readiness.summaries), status.enum);
});

const grant = (role, university_id = null, department_id = null) => ({ role, university_id, department_id });

test("the roles of a person open parts of the console", () => {
  const cases = [
    [[], false, false],
    [[grant("STUDENT", 1), grant("INSTRUCTOR", 2)], false, false],
    [[grant("DEPARTMENT_ADMIN", 1, 5)], false, true],
    [[grant("UNIVERSITY_ADMIN", 1)], false, true],
    [[grant("PLATFORM_ADMIN")], true, true],
  ];
  for (const [roles, platform, universities] of cases) {
    assert.deepEqual(rightsOf({ roles }), { platform, universities });
  }
});

test("rights in a university are those of its own roles", () => {
  const roles = [grant("DEPARTMENT_ADMIN", 1, 5), grant("DEPARTMENT_ADMIN", 1, 6), grant("UNIVERSITY_ADMIN", 2), grant("TA", 3)];
  assert.deepEqual(rightsIn({ roles }, 1), { manages: false, gives: ["STUDENT", "TA", "INSTRUCTOR"], departments: [5, 6] });
  assert.deepEqual([rightsIn({ roles }, 2).manages, rightsIn({ roles }, 2).departments], [true, null]);
  assert.deepEqual(rightsIn({ roles }, 3), { manages: false, gives: [], departments: [] });
  assert.ok(rightsIn({ roles: [grant("PLATFORM_ADMIN")] }, 3).gives.includes("PLATFORM_ADMIN"));
});

test("sums are per hour of UTC, and events outside of the day do not count", () => {
  const hours = perHour([
    event("2026-11-19T10:59:59.999Z"),
    event("2026-11-19T11:00:00.000Z"),
    event("2026-11-20T10:20:30.000Z", "access_refused", 3),
    event("2026-11-20T11:00:00.000Z"),
    event("2026-11-20T09:00:00.000Z", "signed_out"),
  ], NOW);
  assert.equal(hours.length, 24);
  assert.deepEqual(hours[0], { start: new Date("2026-11-19T11:00:00Z"), signIns: 1, refusals: 0 });
  assert.deepEqual(hours[23], { start: new Date("2026-11-20T10:00:00Z"), signIns: 0, refusals: 3 });
  assert.equal(hours.reduce((sum, { signIns, refusals }) => sum + signIns + refusals, 0), 4);
});

/** A service that has these pages of events. */
const pagesOf = (pages) => async (method, path, { query }) => {
  const index = Number(query.cursor ?? 0);
  return { status: 200, body: { items: pages[index], next_cursor: index + 1 < pages.length ? String(index + 1) : null } };
};

test("the walk ends with the first older event, with the list, or after ten pages", async () => {
  const recent = event("2026-11-20T10:00:00Z");
  const old = event("2026-11-19T10:00:00Z");
  const pages = pagesOf([[recent], [recent, old], [recent]]);
  assert.deepEqual(await readEvents(pages, NOW), { events: [recent, recent], isComplete: true });
  assert.deepEqual(await readEvents(pagesOf([[recent]]), NOW), { events: [recent], isComplete: true });
  const many = await readEvents(pagesOf(Array.from({ length: 11 }, () => [recent])), NOW);
  assert.deepEqual([many.events.length, many.isComplete], [10, false]);
  assert.deepEqual(lowestHour(many.events), new Date("2026-11-20T10:00:00Z"));
  const refused = { status: 403, body: {} };
  assert.deepEqual(await readEvents(async () => refused, NOW), { failed: refused });
});
