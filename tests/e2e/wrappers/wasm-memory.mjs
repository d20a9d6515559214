// The service as it is, and the size of its WebAssembly memory in bytes: requested with a header. Instantiation
// passes through here, so this must run before the service is loaded.
let memory;
WebAssembly.Instance = class extends WebAssembly.Instance {
  constructor(...given) {
    super(...given);
    memory = this.exports.memory;
  }
};

const service = await import("./entry.js");

// The other class that wrangler.toml names.
export const { CircuitBreaker } = service;

export default class extends service.default {
  fetch(request) {
    if (request.headers.get("X-Test-Memory")) {
      return new Response(String(memory.buffer.byteLength));
    }
    return super.fetch(request);
  }
}
