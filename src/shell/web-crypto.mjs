// Signatures and encryption by WebCrypto (`web_crypto.rs` is the Rust side). Keys are JSON Web Keys; binary values are
// base64url.
const { subtle } = crypto;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How WebCrypto names the algorithms of tokens and passkeys: for a key, and for a signature. */
const ALGORITHMS = {
  EdDSA: [{ name: "Ed25519" }, { name: "Ed25519" }],
  ES256: [{ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }],
  RS256: [{ name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, { name: "RSASSA-PKCS1-v1_5" }],
};

/** Imported keys by their text. There are a few keys at a time. */
const imported = new Map();
/** Bounds the cache over many rotations. */
const MAX_IMPORTED = 20;

/** Only keys are kept, never promises: a promise belongs to the request that made it. */
async function importedKey(algorithm, text, use) {
  let key = imported.get(text);
  if (key === undefined) {
    key = await subtle.importKey("jwk", JSON.parse(text), ALGORITHMS[algorithm][0], false, [use]);
    if (imported.size >= MAX_IMPORTED) {
      imported.clear();
    }
    imported.set(text, key);
  }
  return key;
}

/** The key of a purpose: HKDF with SHA-256, without a salt, since the secret has enough entropy (RFC 5869 §3.1). */
async function derived(secret, purpose) {
  const source = await subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"]);
  const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode(purpose) };
  return subtle.deriveKey(derivation, source, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

const NONCE_BYTES = 12;
/** The length of the signatures of both algorithms. */
const SIGNATURE_BYTES = 64;

async function encrypted(key, row, text) {
  const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const parameters = { name: "AES-GCM", iv, additionalData: encoder.encode(row) };
  const bytes = new Uint8Array(await subtle.encrypt(parameters, key, encoder.encode(text)));
  return base64url(new Uint8Array([...iv, ...bytes]));
}

/** The wants of cryptography. Each gets the event and the members of the want, and resolves to a text. */
export const cryptography = {
  async generate(_, algorithm) {
    const { privateKey } = await subtle.generateKey(ALGORITHMS[algorithm][0], true, ["sign", "verify"]);
    const { kty, crv, x, y, d } = await subtle.exportKey("jwk", privateKey);
    return JSON.stringify({ kty, crv, x, y, d });
  },

  async sign(_, [algorithm, key, text]) {
    const signature = await subtle.sign(ALGORITHMS[algorithm][1], await importedKey(algorithm, key, "sign"), encoder.encode(text));
    return base64url(new Uint8Array(signature));
  },

  async verify(_, [algorithm, key, text, signature]) {
    const bytes = bytesOf(signature);
    // workerd rejects an Ed25519 signature of another length, instead of finding it invalid.
    if (bytes?.length !== SIGNATURE_BYTES) {
      return "false";
    }
    const publicKey = await importedKey(algorithm, key, "verify");
    return String(await subtle.verify(ALGORITHMS[algorithm][1], publicKey, bytes, encoder.encode(text)));
  },

  /** The key of a passkey is used once in minutes, so it is not kept. RSA signatures are as long as the key. */
  async verifyAssertion(_, [algorithm, key, message, signature]) {
    const [forKey, forSignature] = ALGORITHMS[algorithm];
    const publicKey = await subtle.importKey("jwk", JSON.parse(key), forKey, false, ["verify"]);
    const bytes = bytesOf(signature);
    if (algorithm !== "RS256" && bytes?.length !== SIGNATURE_BYTES) {
      return "false";
    }
    return String(await subtle.verify(forSignature, publicKey, bytes, bytesOf(message)));
  },

  async encrypt(_, [secret, purpose, row, text]) {
    return encrypted(await derived(secret, purpose), row, text);
  },

  /** Many texts, each behind its secret and its row. Most share their secret with others. */
  async encryptAll(_, [purpose, ...given]) {
    const keys = new Map();
    const keyOf = (secret) => keys.get(secret) ?? keys.set(secret, derived(secret, purpose)).get(secret);
    const all = Array.from({ length: given.length / 3 }, (_, index) => given.slice(index * 3, index * 3 + 3));
    return JSON.stringify(await Promise.all(all.map(async ([secret, row, text]) => encrypted(await keyOf(secret), row, text))));
  },

  async decrypt(_, [secret, purpose, row, ciphertext]) {
    const bytes = bytesOf(ciphertext) ?? new Uint8Array();
    const parameters = { name: "AES-GCM", iv: bytes.subarray(0, NONCE_BYTES), additionalData: encoder.encode(row) };
    return decoder.decode(await subtle.decrypt(parameters, await derived(secret, purpose), bytes.subarray(NONCE_BYTES)));
  },
};

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes of a canonical text, or null: other texts would be further forms of the same signature. */
function bytesOf(text) {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    return base64url(bytes) === text ? bytes : null;
  } catch {
    return null;
  }
}
