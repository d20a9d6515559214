// An audit archive with faults: it does not answer, its calls fail, or it writes and the answer is lost.
// `GET /__archive?fault=…` chooses, in this isolate.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

let fault = "none";
const failed = () => Promise.reject(new Error("put: Unspecified error (0)"));

const FAULTS = {
  none: () => ({}),
  silent: () => ({ put: () => new Promise(() => {}) }),
  down: () => ({ put: failed, get: failed, delete: failed }),
  throws: () => ({
    put() {
      throw new TypeError("the binding is broken");
    },
  }),
  loses: (real) => ({ put: (...given) => real.put(...given).then(failed) }),
};

export default class extends Service {
  #spoil() {
    const real = this.env.ARCHIVE;
    const own = { put: (...given) => real.put(...given), get: (name) => real.get(name), delete: (name) => real.delete(name) };
    this.env = { ...this.env, ARCHIVE: { ...own, ...FAULTS[fault](real) } };
  }

  fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/__archive") {
      fault = url.searchParams.get("fault");
      return new Response(fault);
    }
    return super.fetch(request);
  }

  scheduled(event) {
    this.#spoil();
    return super.scheduled(event);
  }
}
