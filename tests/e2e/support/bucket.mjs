// The bucket of the audit archive without the service: a Worker of the tests' own with the same R2 binding; and the objects,
// verified with nothing but their format and node:crypto.
import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";

/** The name of that Worker. */
export const NAME = "bucket-of-the-tests";

const SCRIPT = `
export default {
  async fetch(request, { ARCHIVE }) {
    const { put, remove } = await request.json();
    if (put) await ARCHIVE.put(put[0], put[1]);
    if (remove) await ARCHIVE.delete(remove);
    const { objects } = await ARCHIVE.list();
    return Response.json(await Promise.all(objects.map(async ({ key }) => [key, await (await ARCHIVE.get(key)).text()])));
  },
};`;

/** The Worker, for Miniflare: at an address of its own, with these buckets. */
export function bucketWorker({ compatibilityDate }, r2Buckets) {
  const unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
  return { name: NAME, modules: true, script: SCRIPT, compatibilityDate, r2Buckets, unsafeDirectSockets };
}

/** The objects as `[name, text]`, in order, after a change past the service: `{put: [name, text]}` or `{remove: name}`. */
export async function objectsOf(service, change = {}) {
  const url = await service.miniflare.unsafeGetDirectURL(NAME);
  const response = await fetch(url, { method: "POST", body: JSON.stringify(change) });
  assert.equal(response.status, 200);
  return response.json();
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** Takes the objects apart: `[{header, events, sha256}]`. A broken chain or signature ends the test. */
export async function verifiedObjects(service) {
  const objects = await objectsOf(service);
  const verified = [];
  for (const [name, text] of objects) {
    const [first, ...rest] = text.slice(0, -1).split("\n");
    const [header, { signature }] = [JSON.parse(first), JSON.parse(rest.pop())];
    assert.equal(name, `audit/${String(header.object).padStart(10, "0")}.ndjson`);
    const before = text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1);
    const signed = `edge-auth audit object\n${header.object}\n${sha256(before)}`;
    const key = createPublicKey({ key: header.key, format: "jwk" });
    assert.ok(verify(null, Buffer.from(signed), key, Buffer.from(signature, "base64url")), name);
    const former = verified.at(-1);
    assert.equal(header.previous, former?.sha256 ?? "0".repeat(64), name);
    assert.equal(header.total, (former?.header.total ?? 0) + rest.length);
    assert.equal(header.events, rest.length);
    verified.push({ header, events: rest.map((line) => JSON.parse(line)), sha256: sha256(text) });
  }
  return verified;
}
