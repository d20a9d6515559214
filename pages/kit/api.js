// Requests of views, in the name of the signed-in user. A view sees the final answer only: an expired token is renewed, a
// step-up and an ended session are settled in a dialog over the page, and then the request is sent again.
//
//   const answer = await request("PATCH", "users/me", { body: { full_name } });
//   if (answer.status === 200) …
//
// It never throws. An answer is `{status, body, requestId, seconds, code, details}`: `status` 0 means that none came, `seconds`
// is `Retry-After`, `code` and `details` are those of the error. With `quiet` no dialog opens: for requests that a person did
// not ask for.
import { session } from "./session.js";
import { signInAgain } from "./sign-in-again.js";
import { stepUp } from "./step-up.js";
import { exchange } from "./transport.js";

/** An expired token, an ended session and a step-up can follow one another; more than that is a fault. */
const ATTEMPTS = 4;

/**
 * @param {string} method
 * @param {string} path relative, "users/me"
 * @param {{body?: object, query?: object, quiet?: boolean}} [options]
 */
export async function request(method, path, { body, query, quiet = false } = {}) {
  const isOver = session.watch();
  // A view that was left sends nothing in the name of the next user.
  const send = () => (isOver() ? session.OVER : exchange(method, path, { body, query, access: session.access() }));
  const call = { send, isOver, quiet };
  if (session.isStale()) {
    const renewed = await restore(call);
    if (renewed.status !== 200) {
      return renewed;
    }
  }
  let answer = await send();
  for (let attempt = 1; attempt < ATTEMPTS && answer.status === 401 && !isOver(); attempt += 1) {
    const settled = await settle(answer, call);
    if (settled !== undefined) {
      return settled;
    }
    answer = await send();
  }
  return answer;
}

/** Removes the cause of a refusal. The result is undefined if the request can be sent again, else the final answer. */
async function settle(answer, call) {
  if (answer.code?.startsWith("AUTH_TOKEN_")) {
    const restored = await restore(call);
    return restored.status === 200 ? undefined : restored;
  }
  if (answer.code === "AUTH_STEP_UP_REQUIRED" && !call.quiet) {
    return stepUp(answer, () => sendRenewed(call));
  }
  return answer;
}

/** A dialog may stand longer than an access token lives. */
async function sendRenewed({ send }) {
  const renewed = await session.renewIfStale();
  return renewed.status === 200 ? send() : renewed;
}

/** A valid access token: by the cookie, or by a new sign-in. The answer has the status 200, or that of the failure. */
async function restore({ isOver, quiet }) {
  const renewed = await session.renew();
  if ((renewed.status !== 401 && renewed.status !== 403) || quiet || isOver()) {
    return renewed;
  }
  return (await signInAgain()) ? { status: 200 } : renewed;
}
