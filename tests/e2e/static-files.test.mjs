// Static files are read no more than needed. At this level, because the streams are the runtime's.
import assert from "node:assert/strict";
import { test } from "node:test";

import { send } from "./support/client.mjs";
import { until } from "./support/faults.mjs";
import { startFor } from "./support/start.mjs";

test("a HEAD request cancels the file's stream, and the digests are read once", async (t) => {
  const service = await startFor(t, { wrapper: "tests/e2e/wrappers/watched-assets.mjs" });
  const counts = async () => (await send(service, "/__assets")).body;
  const whole = await send(service, "/docs");
  assert.equal(whole.status, 200);
  assert.match(whole.text, /<html/);
  assert.deepEqual(await counts(), { opened: { "/digests.txt": 1, "/docs/index.html": 1 }, cancelled: 0 });
  const head = await send(service, "/docs", { method: "HEAD" });
  assert.deepEqual([head.status, head.text], [200, ""]);
  await until("the stream is cancelled", async () => (await counts()).cancelled === 1);
  const { headers: { etag } } = whole;
  assert.equal((await send(service, "/docs", { headers: { "If-None-Match": etag } })).status, 304);
  assert.deepEqual((await counts()).opened, { "/digests.txt": 1, "/docs/index.html": 2 });
});
