// Rate limiters that do not answer, as the platform's may: every question is rejected.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const limiter = { limit: () => Promise.reject(new Error("Network connection lost.")) };

export default class extends Service {
  fetch(request) {
    const names = Object.keys(this.env).filter((name) => name.endsWith("_LIMITER"));
    this.env = { ...this.env, ...Object.fromEntries(names.map((name) => [name, limiter])) };
    return super.fetch(request);
  }
}
