// A Worker that hashes a password with the implementation in its path: `/<module>/<export>/<rounds>` for WebAssembly,
// `/webcrypto/<times>/<rounds>` for WebCrypto, which Cloudflare limits to 100,000 rounds per call. It returns the first
// eight bytes of the key.
import modules from "./modules.js";

const instances = Object.fromEntries(
  Object.entries(modules).map(([name, module]) => [name, new WebAssembly.Instance(module).exports]),
);
const PASSWORD = new TextEncoder().encode("correct horse battery staple");
const SALT = new TextEncoder().encode("sixteen of bytes");

const unsigned = (number) => BigInt.asUintN(64, number).toString(16).padStart(16, "0");

async function webCrypto(times, iterations) {
  const key = await crypto.subtle.importKey("raw", PASSWORD, "PBKDF2", false, ["deriveBits"]);
  let bits;
  for (let time = 0; time < times; time += 1) {
    bits = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: SALT, iterations }, key, 256);
  }
  return unsigned(new DataView(bits).getBigUint64(0));
}

export default {
  async fetch(request) {
    const [, name, argument, rounds] = new URL(request.url).pathname.split("/");
    const isWasm = name !== "webcrypto";
    const wasm = (count) => unsigned(instances[name][argument](count));
    const hash = isWasm ? wasm : (count) => webCrypto(Number(argument), count);
    return new Response(await hash(Number(rounds)));
  },
};
