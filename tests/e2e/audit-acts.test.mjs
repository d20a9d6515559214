// The audit log of acts of administrators on universities, departments, courses, invitations and enrolments of others, and
// of operators on the circuit breaker. On workerd, because D1 writes the events with the values of the runtime's headers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";

import { asUser, from, post, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { until } from "./support/faults.mjs";
import { appoint, createUniversity, made } from "./support/roles.mjs";
import { startWatched } from "./support/watched.mjs";

const OPERATOR_KEY = "audit-acts-operator-9a3f17c2e6b05d48";
const RAY = "230b030023ae2822-SJC";
const IP = "203.0.113.77";

let service;
before(async () => (service = await startWatched({ settings: { OPERATOR_KEY, PASSWORD_ITERATIONS: "1" } })));
after(() => service.end());

const seen = new Set();
let steps = 0;

/** Sends a request, and finds exactly these events of it, by type: `[type, reason, user, actor, university, object]`. */
async function noted(status, request, expected = () => []) {
  const id = `act-${(steps += 1)}`;
  const response = await request({ ...from(IP, "Client/1"), "X-Request-ID": id, "CF-Ray": RAY });
  assert.equal(response.status, status, response.text);
  const events = await rows(service.db, "SELECT * FROM audit_events WHERE request_id = ?1 ORDER BY type", id);
  const members = ["type", "reason", "user_id", "actor_id", "university_id", "object_id"];
  assert.deepEqual(events.map((event) => members.map((member) => event[member])), expected(response));
  for (const { type, ip, user_agent, ray, session_id } of events) {
    assert.deepEqual({ ip, user_agent, ray, session_id }, { ip: IP, user_agent: "Client/1", ray: RAY, session_id: null });
    seen.add(type);
  }
  return response;
}

test("universities, departments, courses and enrolments of others", async () => {
  const [admin, student] = [await signUp(service), await signUp(service)];
  const grant = `
    INSERT INTO user_university_roles (user_id, university_id, role, created_at) VALUES (?1, ?2, ?3, ?4)`;
  await rows(service.db, grant, admin.id, null, "PLATFORM_ADMIN", Date.now());
  const act = (method, path, value) => (client) => asUser(service, admin.access, method, path, value, client);
  const about = (type, university, object = null, user = null) => () => [[type, null, user, admin.id, university, object]];
  const made = (type) => ({ body }) => about(type, body.university_id, body.id)();

  const created = ({ body }) => about("university_created", body.id)();
  const { body } = await noted(201, act("POST", "/universities", { name: "Acted on", slug: "acted-on" }), created);
  const path = `/universities/${body.id}`;
  await noted(409, act("POST", "/universities", { name: "Acted on", slug: "acted-on" }));
  await noted(200, act("PATCH", path, { name: "Acted on again" }), about("university_changed", body.id));
  await noted(200, act("PATCH", path, { name: "Acted on again" }));
  const department = await noted(201, act("POST", `${path}/departments`, { name: "D" }), made("department_created"));
  const course = { title: "C", code: "C", is_public: true };
  const { id } = (await noted(201, act("POST", `${path}/courses`, course), made("course_created"))).body;
  await noted(200, act("PATCH", `/courses/${id}`, { title: "C1" }), about("course_changed", body.id, id));
  await noted(200, act("PATCH", `/courses/${id}`, { title: "C1" }));

  await rows(service.db, grant, student.id, body.id, "STUDENT", Date.now());
  const own = (method, at) => (client) => asUser(service, student.access, method, at, undefined, client);
  const enroll = own("POST", `/courses/${id}/enrollments`);
  await noted(204, own("DELETE", `/enrollments/${(await noted(201, enroll)).body.id}`));
  const ended = about("enrollment_ended", body.id, id, student.id);
  await noted(204, act("DELETE", `/enrollments/${(await noted(201, enroll)).body.id}`), ended);

  await noted(409, act("DELETE", path));
  // The end of its publication comes first: a deletion in several steps may stop behind it.
  const gone = () => [...about("course_changed", body.id, id)(), ...about("course_deleted", body.id, id)()];
  await noted(204, act("DELETE", `/courses/${id}`), gone);
  const departmentDeleted = about("department_deleted", body.id, department.body.id);
  await noted(204, act("DELETE", `${path}/departments/${department.body.id}`), departmentDeleted);
  await noted(204, act("DELETE", path), () => [
    ["role_removed", "STUDENT", student.id, admin.id, body.id, null],
    ["university_deleted", null, null, admin.id, body.id, null],
  ]);
});

test("invitations: made, made again, withdrawn, accepted", async () => {
  const [admin, invited] = [await signUp(service), await signUp(service)];
  await appoint(service, admin);
  const { id: university } = await made(createUniversity(service, admin));
  const path = `/universities/${university}`;
  const act = (method, at, value) => (client) => asUser(service, admin.access, method, at, value, client);
  const invite = act("POST", `${path}/roles`, { email: invited.user.email, role: "TA" });
  const about = (id) => ["invitation_created", "TA", null, admin.id, university, id];
  const created = ({ body }) => [about(body.invitation.id)];
  const { body } = await noted(202, invite, created);
  assert.equal((await noted(202, invite, created)).body.invitation.id, body.invitation.id);
  const withdraw = act("DELETE", `${path}/invitations/${body.invitation.id}`);
  await noted(204, withdraw, () => [["invitation_withdrawn", null, null, admin.id, university, body.invitation.id]]);
  await noted(404, withdraw);
  const { token } = (await noted(202, invite, created)).body.invitation;
  const accept = (client) => asUser(service, invited.access, "POST", "/invitations/accept", { token }, client);
  await noted(201, accept, () => [["role_granted", "TA", invited.id, admin.id, university, null]]);
  await noted(401, accept);
});

test("commands of the operator, also the one that closes the database to all others", async () => {
  for (const state of ["open", "closed", "automatic"]) {
    const command = async (client) => {
      const headers = { ...client, Authorization: `Bearer ${OPERATOR_KEY}` };
      const response = await post(service, "/operator/circuit-breaker", { state }, headers);
      const sql = "SELECT id FROM audit_events WHERE type = 'breaker_commanded' AND reason = ?1";
      // The event is written behind the response.
      await until("the event is written", async () => (await rows(service.db, sql, state)).length > 0);
      return response;
    };
    await noted(200, command, () => [["breaker_commanded", state, null, null, null, null]]);
  }
});

test("every described type of such events occurred", () => {
  const description = readFileSync(join(import.meta.dirname, "../../public/openapi.yaml"), "utf8");
  const { EventType } = parse(description, { merge: true }).components.schemas;
  const isAct = (type) => /^(university|department|course|enrollment|breaker|role|invitation)_/.test(type);
  assert.deepEqual([...seen].sort(), EventType.enum.filter(isAct).sort());
});
