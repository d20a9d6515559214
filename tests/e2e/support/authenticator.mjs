// A software authenticator and the browser in front of it: passkeys by the letter of W3C WebAuthn Level 3, written without
// the service's code. A test can change each part on its way.
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";

const FLAGS = { present: 1, verified: 1 << 2, eligible: 1 << 3, backedUp: 1 << 4, credential: 1 << 6 };
const base64url = (bytes) => Buffer.from(bytes).toString("base64url");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

/** The head of a CBOR value (RFC 8949 §3). */
function head(major, number) {
  if (number < 24) {
    return Buffer.from([(major << 5) | number]);
  }
  return number < 256 ? Buffer.from([(major << 5) | 24, number]) : Buffer.from([(major << 5) | 25, number >> 8, number & 255]);
}

/** The CBOR of integers, bytes, texts, and maps of them. */
export function cbor(value) {
  if (typeof value === "number") {
    return value < 0 ? head(1, -1 - value) : head(0, value);
  }
  if (value instanceof Map) {
    return Buffer.concat([head(5, value.size), ...[...value].flat().map(cbor)]);
  }
  const bytes = Buffer.from(value);
  return Buffer.concat([head(typeof value === "string" ? 3 : 2, bytes.length), bytes]);
}

/** For each algorithm: a new pair of keys, the COSE form of the public one (RFC 9053, RFC 8230), and the signing hash. */
const ALGORITHMS = {
  EdDSA: {
    generate: () => generateKeyPairSync("ed25519"),
    cose: ({ x }) => new Map([[1, 1], [3, -8], [-1, 6], [-2, x]]),
    hash: null,
  },
  ES256: {
    generate: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
    cose: ({ x, y }) => new Map([[1, 2], [3, -7], [-1, 1], [-2, x], [-3, y]]),
    hash: "sha256",
  },
  RS256: {
    generate: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
    cose: ({ n, e }) => new Map([[1, 3], [3, -257], [-1, n], [-2, e]]),
    hash: "sha256",
  },
};
export const ALGORITHM_NAMES = Object.keys(ALGORITHMS);

/** One passkey. A synchronised one has no signature counter. */
export class Authenticator {
  constructor({ origin, algorithm = "ES256", isSynchronised = false }) {
    const { generate, cose, hash } = ALGORITHMS[algorithm];
    const { publicKey, privateKey } = generate();
    const jwk = Object.entries(publicKey.export({ format: "jwk" }));
    const parameters = Object.fromEntries(jwk.map(([name, value]) => [name, Buffer.from(value, "base64url")]));
    Object.assign(this, { origin, algorithm, isSynchronised, privateKey, hash, count: 0, id: randomBytes(32) });
    this.cose = cose(parameters);
  }

  /** The answer of `navigator.credentials.create()`, as `toJSON()` returns it. */
  create({ challenge, rp, user }, { cose = this.cose, ...changes } = {}) {
    this.userHandle = user.id;
    const length = Buffer.from([this.id.length >> 8, this.id.length & 255]);
    const attested = Buffer.concat([Buffer.alloc(16), length, this.id, cbor(cose)]);
    const authData = this.#data(rp.id, { ...changes, attested });
    const attestation = new Map([["fmt", "none"], ["attStmt", new Map()], ["authData", authData]]);
    return this.#credential({
      clientDataJSON: this.#clientData("webauthn.create", challenge, changes),
      attestationObject: cbor(attestation),
      transports: ["internal", "hybrid"],
    });
  }

  /** The answer of `navigator.credentials.get()`. */
  get({ challenge, rpId }, changes = {}) {
    const clientDataJSON = this.#clientData("webauthn.get", challenge, changes);
    const authenticatorData = this.#data(rpId, changes);
    const message = Buffer.concat([authenticatorData, sha256(clientDataJSON)]);
    const signature = changes.signature ?? sign(this.hash, message, this.privateKey);
    const userHandle = "userHandle" in changes ? changes.userHandle : this.userHandle;
    const handle = userHandle === undefined ? {} : { userHandle };
    return this.#credential({ clientDataJSON, authenticatorData, signature, ...handle });
  }

  #clientData(type, challenge, { origin = this.origin, ...changes }) {
    const client = { type: changes.type ?? type, challenge: changes.challenge ?? challenge, origin, crossOrigin: false };
    return Buffer.from(JSON.stringify({ ...client, ...changes.client }));
  }

  #data(rpId, { flags = FLAGS.present | FLAGS.verified, attested, ...changes }) {
    const backup = this.isSynchronised ? FLAGS.eligible | FLAGS.backedUp : 0;
    this.count += this.isSynchronised ? 0 : 1;
    const rest = Buffer.alloc(5);
    rest.writeUInt8(flags | (changes.backup ?? backup) | (attested ? FLAGS.credential : 0));
    rest.writeUInt32BE(changes.count ?? this.count, 1);
    return Buffer.concat([sha256(changes.rpId ?? rpId), rest, attested ?? Buffer.alloc(0)]);
  }

  #credential(response) {
    const encode = ([name, value]) => [name, Buffer.isBuffer(value) ? base64url(value) : value];
    const id = base64url(this.id);
    return { id, rawId: id, type: "public-key", response: Object.fromEntries(Object.entries(response).map(encode)) };
  }
}
