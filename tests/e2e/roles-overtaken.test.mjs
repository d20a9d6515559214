// Roles when one request changes rows that another has already read: the last administrator stays, a caller
// without its role grants and revokes nothing, an erased user gets and leaves nothing. Each case is two requests,
// and one is held back until the other is answered. At this level, because a wrapper around D1 can do that to the
// Worker as it is deployed.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { asUser, signUp } from "./support/client.mjs";
import { rows } from "./support/database.mjs";
import { assertEnvelope, assertFaults, assertSuccess } from "./support/envelope.mjs";
import { administrators, appoint, member, platformAdmin, removeRole, vouch } from "./support/roles.mjs";
import { assertConflict, overtaking } from "./support/scenes.mjs";

let service;
let boss;
const { newDepartment, newUniversity, overtaken } = overtaking((scene) => ({ service, boss } = scene));

describe("the last administrator", () => {
  const remove = ({ university, target, by }, headers) => removeRole(service, by, university, target.grant, headers);
  const disable = ({ target, by }, headers) =>
    asUser(service, by.access, "PATCH", `/admin/users/${target.id}`, { is_active: false }, headers);
  const erase = ({ target, by }, headers) =>
    asUser(service, by.access, "DELETE", `/admin/users/${target.id}`, undefined, headers);
  const leave = ({ by }, headers) =>
    asUser(service, by.access, "DELETE", "/users/me", { password: by.user.password }, headers);

  // Every way in which one administrator of the platform can remove another.
  const WAYS = { "removing their role": remove, "disabling them": disable, "deleting them": erase };
  for (const [lateName, late] of Object.entries(WAYS)) {
    for (const [earlyName, early] of Object.entries(WAYS)) {
      test(`of the platform stays: ${lateName} is refused after ${earlyName} has overtaken it`, async (t) => {
        const university = await newUniversity();
        const [one, other] = await onlyTwo(t);
        const response = await overtaken(
          (headers) => late({ university, target: one, by: other }, headers),
          () => early({ university, target: other, by: one }),
        );
        // The caller was removed first, which is checked before: that the target is the last one does not matter.
        assertEnvelope(response, 403, "FORBIDDEN");
        assert.deepEqual(await administrators(service.db, "PLATFORM_ADMIN"), [one.id]);
        assert.equal((await asUser(service, one.access, "GET", "/admin/users")).status, 200);
      });
    }
  }

  test("of the platform stays: deleting oneself is refused when the other one has just done so", async (t) => {
    const [one, other] = await onlyTwo(t);
    const response = await overtaken((headers) => leave({ by: one }, headers), () => leave({ by: other }));
    assertConflict(response, /last administrator/i);
    assert.deepEqual(await administrators(service.db, "PLATFORM_ADMIN"), [one.id]);
  });

  /** Two administrators of the platform, and no other until the test `t` is over. */
  async function onlyTwo(t) {
    await rows(service.db, "DELETE FROM user_university_roles WHERE role = 'PLATFORM_ADMIN'");
    t.after(() => appoint(service, boss));
    return Promise.all([platformAdmin(service), platformAdmin(service)]);
  }

  test("of a university stays when both remove the other's role", async () => {
    const { university, one, other } = await universityOfTwo();
    const response = await overtaken(
      (headers) => remove({ university, target: one, by: other }, headers),
      () => remove({ university, target: other, by: one }),
    );
    assertEnvelope(response, 403, "FORBIDDEN");
    assert.deepEqual(await administrators(service.db, "UNIVERSITY_ADMIN", university), [one.id]);
  });

  test("of a university can neither be deleted nor leave when the other one has just left", async () => {
    for (const [late, byBoss] of [[erase, true], [leave, false], [remove, false]]) {
      const { university, one, other } = await universityOfTwo();
      const response = await overtaken(
        (headers) => late({ university, target: one, by: byBoss ? boss : one }, headers),
        () => leave({ by: other }),
      );
      assertConflict(response, /last administrator/i);
      assert.deepEqual(await administrators(service.db, "UNIVERSITY_ADMIN", university), [one.id]);
    }
  });

  async function universityOfTwo() {
    const university = await newUniversity();
    const one = await member(service, boss, university, "UNIVERSITY_ADMIN");
    const other = await member(service, boss, university, "UNIVERSITY_ADMIN");
    return { university, one, other };
  }
});

describe("a role", () => {
  const pathOf = (university) => `/universities/${university}/roles`;
  const granting = (university, value, by = boss) => (headers) =>
    asUser(service, by.access, "POST", pathOf(university), value, headers);
  const removing = (path, by = boss) => (headers) => asUser(service, by.access, "DELETE", path, undefined, headers);
  const ofUniversity = (university) =>
    rows(service.db, "SELECT role, department_id FROM user_university_roles WHERE university_id = ?1", university);

  test("that is removed before its removal is not found", async () => {
    const university = await newUniversity();
    const { grant } = await member(service, boss, university, "STUDENT");
    const removal = removing(`${pathOf(university)}/${grant}`);
    assertEnvelope(await overtaken(removal, removal), 404, "NOT_FOUND");
    const sql = "SELECT count(*) AS events FROM audit_events WHERE type = 'role_removed' AND university_id = ?1";
    assert.deepEqual(await rows(service.db, sql, university), [{ events: 1 }]);
  });

  test("that another user has granted concurrently is a conflict", async () => {
    const university = await newUniversity();
    const grant = granting(university, { user_id: (await signUp(service)).id, role: "TA" });
    assertConflict(await overtaken(grant, grant), /this role already/i);
    assert.deepEqual(await ofUniversity(university), [{ role: "TA", department_id: null }]);
  });

  test("is neither granted nor removed by a caller whose own role was removed concurrently", async () => {
    const university = await newUniversity();
    const proven = await member(service, boss, university, "STUDENT");
    const { grant: student, user } = proven;
    await vouch(service, boss, proven);
    await member(service, boss, university, "UNIVERSITY_ADMIN");
    for (const act of [
      (by) => granting(university, { email: user.email, role: "TA" }, by),
      (by) => granting(university, { email: "invited@mail.example", role: "TA" }, by),
      (by) => removing(`${pathOf(university)}/${student}`, by),
    ]) {
      const holder = await member(service, boss, university, "UNIVERSITY_ADMIN");
      const loss = removing(`${pathOf(university)}/${holder.grant}`);
      assertEnvelope(await overtaken(act(holder), loss), 403, "FORBIDDEN");
    }
    const roles = (await ofUniversity(university)).map(({ role }) => role).sort();
    assert.deepEqual(roles, ["STUDENT", "UNIVERSITY_ADMIN"]);
    assert.deepEqual(await rows(service.db, "SELECT id FROM invitations WHERE university_id = ?1", university), []);
  });

  test("is not granted to an erased user", async () => {
    const university = await newUniversity();
    const [one, other] = [await signUp(service), await signUp(service)];
    const byId = granting(university, { user_id: one.id, role: "STUDENT" });
    assertEnvelope(await overtaken(byId, removing(`/admin/users/${one.id}`)), 404, "NOT_FOUND");
    // An address without an account is invited.
    await vouch(service, boss, other);
    const byAddress = granting(university, { email: other.user.email, role: "STUDENT" });
    assertSuccess(await overtaken(byAddress, removing(`/admin/users/${other.id}`)), 202);
    assert.deepEqual(await ofUniversity(university), []);
  });

  test("is not granted in a deleted university", async () => {
    const university = await newUniversity();
    const grant = granting(university, { user_id: (await signUp(service)).id, role: "STUDENT" });
    assertEnvelope(await overtaken(grant, removing(`/universities/${university}`)), 404, "NOT_FOUND");
  });

  test("is granted neither in a deleted department nor in the whole university instead", async () => {
    const university = await newUniversity();
    const department = await newDepartment(university);
    const grant = granting(university, { user_id: boss.id, role: "TA", department_id: department });
    const response = await overtaken(grant, removing(`/universities/${university}/departments/${department}`));
    assertFaults(response, "department_id: value_error");
    assert.deepEqual(await ofUniversity(university), []);
  });

  test("that was granted concurrently keeps its department from being deleted", async () => {
    const university = await newUniversity();
    const department = await newDepartment(university);
    const grant = granting(university, { user_id: boss.id, role: "DEPARTMENT_ADMIN", department_id: department });
    const response = await overtaken(removing(`/universities/${university}/departments/${department}`), grant);
    assertConflict(response, /still has courses or roles/i);
    assert.deepEqual(await ofUniversity(university), [{ role: "DEPARTMENT_ADMIN", department_id: department }]);
  });

  test("that was granted concurrently is deleted with its university", async () => {
    const university = await newUniversity();
    const grant = granting(university, { user_id: boss.id, role: "STUDENT" });
    assert.equal((await overtaken(removing(`/universities/${university}`), grant)).status, 204);
    assert.deepEqual(await ofUniversity(university), []);
  });

  for (const [done, act] of Object.entries({
    granted: ({ university, person }) => ["POST", pathOf(university), { user_id: person.id, role: "TA" }],
    removed: ({ university, person }) => ["DELETE", `${pathOf(university)}/${person.grant}`, undefined],
  })) {
    test(`that is ${done} by an erased user leaves only the actor's id in the records`, async () => {
      const university = await newUniversity();
      const [actor, person] = [await platformAdmin(service), await member(service, boss, university, "STUDENT")];
      const [method, path, value] = act({ university, person });
      const client = { "CF-Connecting-IP": "203.0.113.77", "User-Agent": "A device of theirs" };
      await overtaken(
        (headers) => asUser(service, actor.access, method, path, value, { ...headers, ...client }),
        removing(`/admin/users/${actor.id}`),
      );
      const sql = "SELECT type, ip, user_agent FROM audit_events WHERE actor_id = ?1";
      const left = (await rows(service.db, sql, actor.id)).filter(({ ip, user_agent }) => ip ?? user_agent);
      assert.deepEqual(left, []);
    });
  }
});
