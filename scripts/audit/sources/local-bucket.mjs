// The objects in a bucket of this machine, as `make dev` writes them. They are read in one process: wrangler would start anew for
// each, which takes a second and a half.
import { join } from "node:path";

import { nameOf } from "../fault.mjs";
import { numbersOf } from "./names.mjs";

const BINDING = "ARCHIVE";
const WORKER = { modules: true, script: "export default { fetch: () => new Response() }" };

export class LocalBucket {
  #miniflare;
  #bucket;

  /** @param {string} state the folder of local data */
  static async open(state, name) {
    const { convertV4MiniflareOptions, Log, LogLevel, Miniflare } = await import("miniflare");
    const source = new LocalBucket();
    const options = { ...WORKER, cf: false, log: new Log(LogLevel.ERROR), resourcePersistencePath: join(state, "v3") };
    source.#miniflare = new Miniflare(convertV4MiniflareOptions({ ...options, r2Buckets: { [BINDING]: name } }));
    source.#bucket = await source.#miniflare.getR2Bucket(BINDING);
    return source;
  }

  /** The bytes of an object; `undefined` if there is none of this number. */
  async get(number) {
    const object = await this.#bucket.get(nameOf(number));
    return object === null ? undefined : Buffer.from(await object.arrayBuffer());
  }

  /** The numbers of all objects, ascending. */
  async numbers() {
    const names = [];
    for (let cursor, isLast = false; !isLast; ) {
      const page = await this.#bucket.list({ prefix: "audit/", cursor });
      names.push(...page.objects.map(({ key }) => key));
      cursor = page.cursor;
      isLast = !page.truncated;
    }
    return numbersOf(names);
  }

  close() {
    return this.#miniflare.dispose();
  }
}
