// The service as it is, with a runtime that calls into Rust while Rust draws the isolate's id, which a real one never
// does: Rust panics. A request with a certain header, the first of its instance, gets it.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const ID_BYTES = 8;
const draw = crypto.getRandomValues.bind(crypto);
let enter;
crypto.getRandomValues = (bytes) => {
  if (bytes.length === ID_BYTES && enter !== undefined) {
    const nested = enter;
    enter = undefined;
    nested();
  }
  return draw(bytes);
};

export default class extends Service {
  fetch(request) {
    if (request.headers.get("X-Test-Panic")) {
      enter = () => super.fetch(new Request(request.url));
    }
    return super.fetch(request);
  }
}
