// The bundle on slices. Each request goes to one slice: by the user's id in its token, or by its address, which the
// directory knows. With one slice there is nothing to find, and no directory.
//
// It stands in front of the deployed bundle, as the wrappers of tests/e2e do. The service itself is unchanged.
import { databaseOn } from "./binding.js";
import Service from "./entry.js";

export { Directory } from "./directory.js";
export * from "./entry.js";
export { Slice } from "./slice.js";

const encoder = new TextEncoder();
let key;

export default class extends Service {
  async fetch(request) {
    const slices = Number(this.env.SLICES);
    if (request.headers.has("X-Fill")) {
      return this.#fill(await request.json());
    }
    const slice = slices === 1 ? 0 : await this.#sliceOf(request, slices);
    this.env = { ...this.env, DB: databaseOn(this.#stub(slice)) };
    return super.fetch(request);
  }

  #stub(slice) {
    return this.env.SLICE.getByName(`1/${slice}`);
  }

  async #sliceOf(request, slices) {
    const bearer = request.headers.get("Authorization")?.split(" ")[1];
    if (bearer !== undefined) {
      return placeOf(bearer, slices);
    }
    const { email, refresh_token: token } = await request.clone().json();
    if (token !== undefined) {
      return placeOf(token, slices);
    }
    return (await this.env.DIRECTORY.getByName("1").find(await hashed(this.env, email))) ?? 0;
  }

  /** Statements for one slice, or addresses for the directory. */
  async #fill({ slice, statements, places }) {
    try {
      if (places !== undefined) {
        const addresses = places.map(async ([email, place]) => [await hashed(this.env, email), place]);
        return Response.json({ answer: await this.env.DIRECTORY.getByName("1").put(await Promise.all(addresses)) });
      }
      return Response.json({ answer: await this.#stub(slice).batch(statements) });
    } catch ({ message }) {
      return Response.json({ message });
    }
  }
}

/** The lowest bits of the user's id. The service verifies the token behind this, in the slice that the token names. */
function placeOf(token, slices) {
  const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  return Number(claims.sub) % slices;
}

async function hashed({ SECRET_KEY }, email) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  key ??= await crypto.subtle.importKey("raw", encoder.encode(`address/${SECRET_KEY}`), algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(email))).toHex();
}
