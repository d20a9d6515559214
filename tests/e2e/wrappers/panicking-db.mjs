// A database whose `prepare` throws, which a real one never does: nothing catches that on its way through Rust, so the
// Wasm instance is lost in the middle of a request, as after a panic. Only requests with a certain header get it.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

export default class extends Service {
  fetch(request) {
    if (request.headers.get("X-Test-Panic")) {
      const real = this.env.DB;
      const database = Object.create(real, { prepare: { value() { throw new Error("prepare failed"); } } });
      this.env = { ...this.env, DB: database };
    }
    return super.fetch(request);
  }
}
