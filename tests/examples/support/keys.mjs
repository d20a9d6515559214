// The signing key of a service, decrypted from its database: a token that only one check refuses must be signed well.
import { createDecipheriv, createHmac, createPrivateKey, generateKeyPairSync, hkdfSync, randomBytes, sign } from "node:crypto";

import { rows } from "../../e2e/support/database.mjs";
import { SECRET_KEY } from "../../e2e/support/service.mjs";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The key that signs at this moment: `{kid, algorithm, privateKey}`. */
export async function currentKey({ db }, secret = SECRET_KEY) {
  const [row] = await rows(db, "SELECT kid, algorithm, private_key FROM signing_keys WHERE state = 'current'");
  const bytes = Buffer.from(row.private_key, "base64url");
  const key = Buffer.from(hkdfSync("sha256", secret, "", "edge-auth signing key", 32));
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(Buffer.from(row.kid));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
  const { kty, crv, x, y, d } = JSON.parse(text);
  return { kid: row.kid, algorithm: row.algorithm, privateKey: createPrivateKey({ key: { kty, crv, x, y, d }, format: "jwk" }) };
}

/** A key pair of the same kind that no service published. */
export function strangersKey({ algorithm, kid }) {
  const { privateKey } =
    algorithm === "EdDSA" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { kid, algorithm, privateKey };
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A key pair for RS256, and a secret for HS256, as members of a key set, with functions that sign. */
export function otherKeys() {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const secret = randomBytes(32);
  return [
    { jwk: { ...publicKey.export({ format: "jwk" }), alg: "RS256" }, sign: (text) => sign("sha256", text, privateKey) },
    { jwk: { kty: "oct", k: secret.toString("base64url"), alg: "HS256" }, sign: (text) => createHmac("sha256", secret).update(text).digest() },
  ].map((key, index) => ({ ...key, jwk: { ...key.jwk, kid: `other-${index}`, use: "sig" } }));
}

/** Signs any header and claims; members that are `undefined` are left out. */
export function signed({ algorithm, privateKey }, header, claims) {
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" };
  return signedBy((text) => sign(algorithm === "EdDSA" ? null : "sha256", text, key), header, claims);
}

/** The same, by a function that signs bytes. */
export function signedBy(signer, header, claims) {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${signer(Buffer.from(text)).toString("base64url")}`;
}
