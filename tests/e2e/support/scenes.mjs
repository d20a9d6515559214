// The openings of the tests of overtaken requests and of races. Each function registers the hooks that start the
// file's service before its tests and stop it after them, and calls `ready` with the members named below.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { assertEnvelope } from "./envelope.mjs";
import { HELD, holder } from "./held.mjs";
import { assertIntact, createCourse, createDepartment, createUniversity, made, platformAdmin } from "./roles.mjs";
import { startService } from "./service.mjs";
import { startWatched } from "./watched.mjs";

/** `{service, hold}`: a watched service whose requests a test can stop between a read and a write. */
export function watchedAndHeld(ready) {
  let service;
  before(async () => {
    service = await startWatched(HELD);
    ready({ service, hold: holder(service) });
  });
  after(() => service.end());
}

/** `{service, boss}`: two isolates of one service, whose tables are checked at the end. Returns makers of places. */
export function twoIsolates(ready) {
  const end = async (service) => {
    await assertIntact(service.db);
    await service.stop();
  };
  return withBoss({ isolates: 2 }, end, ready);
}

/**
 * `{service, boss}`: a service whose answers can be held back. Returns makers of places, and `overtaken(late, early)`
 * for the answer of `late`, which `early` has overtaken; whatever the answers, the tables are intact.
 */
export function overtaking(ready) {
  let service;
  let hold;
  const places = withBoss(HELD, () => service.stop(), (scene) => {
    service = scene.service;
    hold = holder(service);
    ready(scene);
  });
  const overtaken = async (late, early) => {
    const response = await hold.overtake(late, early);
    await assertIntact(service.db);
    return response;
  };
  return { ...places, overtaken };
}

/** A service, and an administrator of its platform. Returns functions by which `boss` makes places, for their ids. */
function withBoss(options, end, ready) {
  let service;
  let boss;
  before(async () => {
    service = await startService(options);
    boss = await platformAdmin(service);
    ready({ service, boss });
  });
  after(() => end(service));
  return {
    newUniversity: () => idOf(createUniversity(service, boss)),
    newDepartment: (university) => idOf(createDepartment(service, boss, university)),
    newCourse: (university, course) => idOf(createCourse(service, boss, university, course)),
  };
}

const idOf = async (answer) => (await made(answer)).id;

/** A conflict with this message. */
export function assertConflict(response, message) {
  assertEnvelope(response, 409, "CONFLICT");
  assert.match(response.body.error.message, message);
}
