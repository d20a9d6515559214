// A head of the archive, as the service logs it: `<number>:<SHA-256 of the object>:<id of the key>`.
import { AuditFailure } from "./fault.mjs";

/** The parts of a head: `{object, sha256, kid}`; `undefined` for an empty text. */
export function parseHead(text) {
  if (text === "") {
    return undefined;
  }
  const [, object, sha256, kid] = /^([1-9]\d{0,9}):([0-9a-f]{64}):([\w-]{43})$/.exec(text) ?? [];
  if (object === undefined) {
    throw new AuditFailure("HEAD= is no head of the archive: number, SHA-256 and key with colons between, as the service logs it.");
  }
  return { object: Number(object), sha256, kid };
}
