// Every way in which an administrator can be lost, and the possible answers to two of them at the same moment.
import { asUser } from "./client.mjs";

const removal = ({ target, university }) => ["DELETE", `/universities/${university}/roles/${target.grant}`];
const disabling = ({ target }) => ["PATCH", `/admin/users/${target.id}`, { is_active: false }];
const erasure = ({ target }) => ["DELETE", `/admin/users/${target.id}`];
const leaving = ({ by }) => ["DELETE", "/users/me", { password: by.user.password }];

/** `needs` is the caller's required right, `effect` the change of the target; `isOwn`: the target is the caller. */
export const WAYS = {
  "removes the other's role": { needs: "role", effect: "removed", request: removal },
  "disables the other": { needs: "platform", effect: "disabled", request: disabling },
  "deletes the other": { needs: "platform", effect: "erased", request: erasure },
  "removes their own role": { needs: "role", effect: "removed", request: removal, isOwn: true },
  "disables themselves": { needs: "platform", effect: "disabled", request: disabling, isOwn: true },
  "deletes themselves": { needs: "account", effect: "erased", request: leaving, isOwn: true },
};

/** The answers to a caller after that was done to it. */
const AFTERWARDS = {
  removed: { role: "404 NOT_FOUND", platform: "403 FORBIDDEN" },
  disabled: {
    role: "403 AUTH_INACTIVE_USER",
    platform: "403 AUTH_INACTIVE_USER",
    account: "403 AUTH_INACTIVE_USER",
  },
  erased: {
    role: "401 AUTH_TOKEN_INVALID",
    platform: "401 AUTH_TOKEN_INVALID",
    account: "401 AUTH_TOKEN_INVALID",
  },
};

/** `by` acts in one of these ways, against `peer` or against itself. */
export function act(way, by, peer) {
  return { ...way, by, target: way.isOwn ? by : peer };
}

export function perform(service, { by, target, request }, university) {
  return asUser(service, by.access, ...request({ by, target, university }));
}

/** The answers, beside success, that `loser` may get when `winner` succeeds at the same moment. */
export function refusals(winner, loser) {
  const isHit = winner.target === loser.by;
  const allowed = isHit ? [AFTERWARDS[winner.effect][loser.needs]] : [];
  if (isHit && loser.needs !== "account") {
    // It began in time, but a stopped administrator changes nothing.
    allowed.push("403 FORBIDDEN");
  }
  if (isHit && loser.effect === "removed") {
    // It began in time, but a stopped caller removes no role; its own role may be gone by then.
    allowed.push(loser.isOwn && winner.effect !== "disabled" ? "404 NOT_FOUND" : "403 FORBIDDEN");
  } else if (winner.target !== loser.target) {
    // It began in time, but would have removed the last one.
    allowed.push("409 CONFLICT");
  } else if (winner.effect === "erased" || (winner.effect === "removed" && loser.effect === "removed")) {
    // It began in time, but its target is gone.
    allowed.push(loser.needs === "account" ? "401 AUTH_INVALID_CREDENTIALS" : "404 NOT_FOUND");
  } else if (winner.effect === "disabled" && loser.needs === "account") {
    // It began in time, but the caller's password no longer works.
    allowed.push("401 AUTH_INVALID_CREDENTIALS");
  }
  return allowed;
}
