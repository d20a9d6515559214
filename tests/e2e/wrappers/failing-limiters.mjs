// Rate limiters that are out of order, as the platform's may be: every call is rejected; or, where the setting LIMITERS
// says "silent", never answered.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const rejecting = { limit: () => Promise.reject(new Error("Network connection lost.")) };
const silent = { limit: () => new Promise(() => {}) };

export default class extends Service {
  fetch(request) {
    const limiter = this.env.LIMITERS === "silent" ? silent : rejecting;
    const names = Object.keys(this.env).filter((name) => name.endsWith("_LIMITER"));
    this.env = { ...this.env, ...Object.fromEntries(names.map((name) => [name, limiter])) };
    return super.fetch(request);
  }
}
