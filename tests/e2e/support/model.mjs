// A model of sessions under sequential requests: the reference for parallel requests.

export const REVOKED = "AUTH_TOKEN_REVOKED";

/** A session right after signing in. `successors` maps each token to its replacement; `null`: none yet. */
export function newSession(token) {
  return { ended: false, successors: { [token]: null } };
}

/**
 * The state after this answer, or `undefined` if a session in this state would not give it.
 * @param {{kind: "refresh"|"logout"|"me", token?: string}} operation
 * @param {string} answer "OK", the token that a refresh returned, or an error code
 */
function apply(session, { kind, token }, answer, isStrict) {
  if (kind === "me") {
    return answer === (session.ended ? REVOKED : "OK") ? session : undefined;
  }
  if (kind === "logout") {
    return answer === "OK" ? { ...session, ended: true } : undefined;
  }
  const successor = session.successors[token];
  const isRotated = successor !== null;
  // A retry is one only while the successor is unused.
  const isTheft = isRotated && (isStrict || session.successors[successor] !== null);
  if (isTheft) {
    return answer === REVOKED ? { ...session, ended: true } : undefined;
  }
  if (session.ended) {
    return answer === REVOKED ? session : undefined;
  }
  if (isRotated) {
    return answer === successor ? session : undefined;
  }
  const isNew = answer !== REVOKED && !(answer in session.successors);
  return isNew ? { ...session, successors: { ...session.successors, [token]: answer, [answer]: null } } : undefined;
}

/** All orders of a list. */
function* orders(list) {
  if (list.length === 0) {
    yield [];
  }
  for (const [index, first] of list.entries()) {
    for (const rest of orders(list.toSpliced(index, 1))) {
      yield [first, ...rest];
    }
  }
}

/**
 * The states that can follow a burst of parallel operations: one for each order of them that explains every
 * answer, from each state that was possible before. Without any, no order does.
 * @param {Array<Array<object>>} states possible before; each is a list of sessions
 * @param {Array<{session: number, kind: string, token?: string, answer: string}>} burst
 */
export function explain(states, burst, isStrict) {
  const possible = new Map();
  for (const state of states) {
    for (const order of orders(burst)) {
      const sessions = [...state];
      const isPossible = order.every((operation) => {
        const next = apply(sessions[operation.session], operation, operation.answer, isStrict);
        sessions[operation.session] = next ?? sessions[operation.session];
        return next !== undefined;
      });
      if (isPossible) {
        possible.set(JSON.stringify(sessions), sessions);
      }
    }
  }
  return [...possible.values()];
}
