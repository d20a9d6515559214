// Walks archives of audit-chain.mjs, and compares the messages.
import assert from "node:assert/strict";

import { parseHead } from "../../../scripts/audit/head.mjs";
import { Register } from "../../../scripts/audit/register.mjs";
import { Walk } from "../../../scripts/audit/walk.mjs";
import { WithoutRegister } from "../../../scripts/audit/without-register.mjs";
import { databaseOf } from "./audit-database.mjs";

/** Walks an archive with its register: the numbers of its objects, or the message of the fault. */
export async function walked(archive, head = "", register = registerOf(archive)) {
  const numbers = [];
  const proof = parseHead(head);
  try {
    for await (const { number } of new Walk({ source: archive.source(), register, proof }).objects()) {
      numbers.push(number);
    }
  } catch (error) {
    return error.message;
  }
  return numbers;
}

/** The same by the objects and a head alone. */
export async function walkedAlone(archive, head) {
  try {
    return await walked(archive, head, await WithoutRegister.of(archive.source(), parseHead(head)));
  } catch (error) {
    return error.message;
  }
}

export const registerOf = (archive) => new Register({}, databaseOf(archive).ask);

/** Both ways find the fault, with the same text. */
export async function assertFound(archive, head, pattern) {
  assert.match(String(await walked(archive)), pattern);
  assert.match(String(await walkedAlone(archive, head)), pattern);
}

/** The message of a fault; without a line if it is of the whole object. */
export const found = (number, line, text) =>
  new RegExp(`^audit/000000000${number}\\.ndjson${line ? `, line ${line}` : ""}: ${text}`);

export const UNSIGNED = "the signature does not fit the lines above it";
