// Says of each response whether it was made at once, and how many tasks the runtime was asked to wait for behind it.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

export default class extends Service {
  async fetch(request) {
    let waits = 0;
    const real = this.ctx;
    this.ctx = {
      waitUntil(task) {
        waits += 1;
        real.waitUntil(task);
      },
    };
    const answer = super.fetch(request);
    const when = answer instanceof Response ? "at once" : "later";
    const response = new Response((await answer).body, await answer);
    response.headers.set("X-Test-Waits", `${when}, ${waits}`);
    return response;
  }
}
