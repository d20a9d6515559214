// The service as it is, whose Wasm traps when a header asks for it: the answer to the next want lies outside of its
// memory, as after a fault in unsafe code. Instantiation passes through here, so this must run before the service is
// loaded.
let isTrapping = false;
const { Instance } = WebAssembly;
WebAssembly.Instance = function (...given) {
  const { exports } = new Instance(...given);
  const resume = (want, start, length, now) => {
    const at = isTrapping ? -8 : start;
    isTrapping = false;
    return exports.resume(want, at, length, now);
  };
  return { exports: { ...exports, resume } };
};

const service = await import("./entry.js");

// The other class that wrangler.toml names.
export const { CircuitBreaker } = service;

export default class extends service.default {
  fetch(request) {
    isTrapping ||= request.headers.has("X-Test-Trap");
    return super.fetch(request);
  }
}
