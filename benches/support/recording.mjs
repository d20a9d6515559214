// The statements of each operation, recorded from a running target, and the origin of each of their values.
//
// The source code has the statements as constants with macros and named parameters. D1 receives another text, so the
// benchmark records the text that D1 receives instead of parsing the source. To replay a statement for another user,
// the floor must know the meaning of each value. Therefore each operation runs twice, for two users. A value that
// equals the same fact of both requests, such as the user's id, is that fact. A value that is equal in both is a
// constant. A value with the same distance from the time of both requests is a point in time. Any other value is an
// error, so that a new parameter cannot get a wrong value unnoticed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

import { userOf } from "./people.mjs";

/** The wrapper of a target that is recorded. */
export const RECORDER = "benches/support/recorded-db.mjs";
/** Two requests within a millisecond would make every point in time look like a constant. */
const PAUSE_MS = 5;

const takeBatches = async ({ origin }) => (await fetch(`${origin}/__batches`)).json();

/** The longest that a line takes from the console to the file. */
const LOG_PATIENCE_MS = 2000;
/** Headers with a value of their own in each response. */
const OWN_HEADERS = ["x-request-id", "content-length"];
/** Members of log lines with a value of their own in each request. */
const OWN_MEMBERS = ["timestamp", "request_id", "user_id", "session_id", "duration_ms"];

/**
 * Runs operations on a target behind RECORDER. Returns for each operation, by its id, the size of the response's body,
 * its headers, the log lines if the target has any, and the batches: lists of `{sql, values}`. A value is a JavaScript
 * expression, such as `fact.user`, `fact.now + 604800000` or `"signed_in"`.
 */
export async function record(target, operations, { hasLogs = true } = {}) {
  // Discard the batches of the set-up.
  await takeBatches(target);
  const recording = {};
  for (const operation of operations) {
    const samples = [await sample(target, operation, 0), await sample(target, operation, 1)];
    const [{ size, headers, requestId }] = samples;
    const lines = hasLogs ? await linesOf(target, requestId) : [];
    recording[operation.id] = { size, headers, lines, batches: generalised(samples, operation.title) };
  }
  return recording;
}

/** One request with its batches, the facts that their values may come from, and the size of the response's body. */
async function sample(target, operation, connection) {
  const { origin, world } = target;
  await setTimeout(PAUSE_MS);
  const { path, ...request } = operation.request(world, connection);
  const begun = Date.now();
  const response = await fetch(origin + path, request);
  const body = await response.text();
  const ended = Date.now();
  assert.equal(response.status, operation.status, `${operation.title}: ${body}`);
  operation.answered?.(world, connection, body);
  const batches = await takeBatches(target);
  const values = batches.flat().flatMap((statement) => statement.values);
  const facts = {
    ...factsOf(request, JSON.parse(body), world.tokens),
    now: values.find((value) => begun <= value && value <= ended),
  };
  const headers = [...response.headers].filter(([name]) => !OWN_HEADERS.includes(name));
  const requestId = response.headers.get("X-Request-ID");
  return { batches, facts: { ...facts, ...drawn(values, facts) }, size: body.length, headers, requestId };
}

/** The log lines of one request up to the last, without the values that are its own. */
async function linesOf({ logFile }, requestId) {
  const deadline = Date.now() + LOG_PATIENCE_MS;
  for (;;) {
    const lines = linesIn(readFileSync(logFile, "utf8")).filter((line) => line.request_id === requestId);
    if (lines.at(-1)?.message === "Request finished") {
      return lines.map((line) => {
        return { ...line, ...Object.fromEntries(OWN_MEMBERS.filter((name) => name in line).map((name) => [name, "…"])) };
      });
    }
    assert.ok(Date.now() < deadline, `no complete log of the request ${requestId}: ${JSON.stringify(lines)}`);
    await setTimeout(PAUSE_MS);
  }
}

/** workerd writes an object per call of the console, with the text in `message`. The last line may be incomplete. */
function linesIn(text) {
  const complete = text.slice(0, text.lastIndexOf("\n")).split("\n");
  const messages = complete.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line).message);
  return messages.filter((message) => message.startsWith("{")).map((message) => JSON.parse(message));
}

/** The facts that the request or its response shows. */
function factsOf({ headers, body }, answer, tokens) {
  const { email, full_name, refresh_token: token } = body === undefined ? {} : JSON.parse(body);
  const presented = tokens.read(token ?? headers.Authorization?.slice("Bearer ".length));
  const issued = tokens.read(answer.refresh_token);
  const user = presented.user ?? (email && userOf(email)) ?? issued.user;
  return {
    user,
    session: presented.session ?? issued.session,
    presented: presented.jti,
    issued: issued.jti,
    throttle_key: `user/${user}/password`,
    email,
    full_name,
    ip: headers["CF-Connecting-IP"],
    agent: headers["User-Agent"],
  };
}

/** Values that the target draws or derives itself and does not show, recognised by their form. */
function drawn(values, { presented, issued }) {
  const like = (form) => values.find((value) => form.test(value) && value !== presented && value !== issued);
  return {
    request_id: like(/^[0-9a-f]{32}$/),
    hash: like(/^\$pbkdf2-sha256\$/),
    unknown_key: like(/^unknown\/[0-9]+$/),
  };
}

/** The batches of samples, with an expression for each value. */
function generalised(samples, title) {
  const [first] = samples;
  const facts = samples.map((each) => each.facts);
  const texts = ({ batches }) => batches.map((batch) => batch.map(({ sql }) => sql));
  samples.forEach((each) => assert.deepEqual(texts(each), texts(first), `${title} runs different statements`));
  return first.batches.map((batch, place) =>
    batch.map(({ sql, values }, index) => ({
      sql,
      values: values.map((_, position) => {
        const column = samples.map(({ batches }) => batches[place][index].values[position]);
        const expression = expressionOf(column, facts);
        assert.ok(expression, `${title}: no meaning of ?${position + 1}, ${JSON.stringify(column)}, in ${sql}`);
        return expression;
      }),
    })),
  );
}

/** The expression that gives these values for requests with these facts. */
function expressionOf(column, facts) {
  const areAll = (valueOf) => column.every((value, index) => value === valueOf(facts[index]));
  const name = Object.keys(facts[0]).find((key) => areAll((fact) => fact[key]));
  if (name !== undefined) {
    return `fact.${name}`;
  }
  if (areAll(() => column[0])) {
    return JSON.stringify(column[0]);
  }
  const ahead = column[0] - facts[0].now;
  if (areAll(({ now }) => now + ahead)) {
    return `fact.now ${ahead < 0 ? "-" : "+"} ${Math.abs(ahead)}`;
  }
  return typeof column[0] === "number" ? numberOf(areAll) : textOf(column, facts);
}

/** The expression of a number that no fact has: the id of an event, or one that is drawn or hashed. */
function numberOf(areAll) {
  const eventId = "(fact.now - 1735689600000) * 4096";
  return areAll(({ now }) => (now - 1_735_689_600_000) * 4096) ? eventId : "Math.floor(Math.random() * 2 ** 53)";
}

/** The expression of a text that contains the user's id, or that is hashed: then any will do. */
function textOf(column, facts) {
  const parts = column.map((text, index) => String(text).split(`user/${facts[index].user}/`));
  const isOfUser = parts.every((each) => each.length === 2 && each.join() === parts[0].join());
  return isOfUser ? `\`${parts[0].join("user/${fact.user}/")}\`` : JSON.stringify(column[0]);
}
