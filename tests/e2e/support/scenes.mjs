// The openings of the tests of overtaken requests and of races. Each function registers the hooks that start the
// file's service before its tests and stop it after them; the members of the result are there when the tests run.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { assertEnvelope } from "./envelope.mjs";
import { HELD, holder } from "./held.mjs";
import { assertIntact, createCourse, createDepartment, createUniversity, made, platformAdmin } from "./roles.mjs";
import { startService } from "./service.mjs";
import { startWatched } from "./watched.mjs";

/** `{service, hold}`: a watched service whose requests a test can stop between a read and a write. */
export function watchedAndHeld() {
  const scene = {};
  before(async () => {
    scene.service = await startWatched(HELD);
    scene.hold = holder(scene.service);
  });
  after(() => scene.service.end());
  return scene;
}

/** `{service, boss}`: two isolates of one service, whose tables are checked at the end. */
export function twoIsolates() {
  return withBoss({ isolates: 2 }, async ({ service }) => {
    await assertIntact(service.db);
    await service.stop();
  });
}

/**
 * `{service, boss, overtaken}`. `overtaken(late, early)` gives the answer of `late`, which `early` has overtaken;
 * whatever the answers, the tables are intact.
 */
export function overtaking() {
  const scene = withBoss(HELD, ({ service }) => service.stop());
  before(() => (scene.hold = holder(scene.service)));
  scene.overtaken = async (late, early) => {
    const response = await scene.hold.overtake(late, early);
    await assertIntact(scene.service.db);
    return response;
  };
  return scene;
}

/** A service, an administrator of its platform, `boss`, and the ids of the places that `boss` makes on demand. */
function withBoss(options, end) {
  const scene = {
    newUniversity: () => idOf(createUniversity(scene.service, scene.boss)),
    newDepartment: (university) => idOf(createDepartment(scene.service, scene.boss, university)),
    newCourse: (university, course) => idOf(createCourse(scene.service, scene.boss, university, course)),
  };
  before(async () => {
    scene.service = await startService(options);
    scene.boss = await platformAdmin(scene.service);
  });
  after(() => end(scene));
  return scene;
}

const idOf = async (answer) => (await made(answer)).id;

/** A conflict with this message. */
export function assertConflict(response, message) {
  assertEnvelope(response, 409, "CONFLICT");
  assert.match(response.body.error.message, message);
}
