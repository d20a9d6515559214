// A database whose error has a message that cannot cross into Rust, which a real one never has: the call into Rust
// throws, so the Wasm instance is lost in the middle of a request, as after a panic. Only requests with a certain header
// get it.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const message = { get length() { throw new Error("unreadable answer"); } };

export default class extends Service {
  fetch(request) {
    if (request.headers.get("X-Test-Panic")) {
      const real = this.env.DB;
      const prepare = { value: (sql) => real.prepare(sql) };
      const batch = { value: () => Promise.reject({ message }) };
      this.env = { ...this.env, DB: Object.create(real, { prepare, batch }) };
    }
    return super.fetch(request);
  }
}
