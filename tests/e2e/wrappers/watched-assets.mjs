// The service as it is, with static files that say how often each was opened, and how often a stream was cancelled before
// its end: `GET /__assets` has the counts.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const counted = { opened: {}, cancelled: 0 };

function watched(body) {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      return done ? controller.close() : controller.enqueue(value);
    },
    cancel(reason) {
      counted.cancelled += 1;
      return reader.cancel(reason);
    },
  });
}

export default class extends Service {
  fetch(request) {
    if (new URL(request.url).pathname === "/__assets") {
      return Response.json(counted);
    }
    const real = this.env.ASSETS;
    const fetch = async (url) => {
      const { pathname } = new URL(url);
      counted.opened[pathname] = (counted.opened[pathname] ?? 0) + 1;
      const response = await real.fetch(url);
      return new Response(watched(response.body), response);
    };
    this.env = { ...this.env, ASSETS: { fetch } };
    return super.fetch(request);
  }
}
