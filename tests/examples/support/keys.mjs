// The signing key of a service, decrypted from its database: a token that only one check refuses must be signed well.
import { createDecipheriv, createPrivateKey, generateKeyPairSync, hkdfSync, sign } from "node:crypto";

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

/** Signs any header and claims; members that are `undefined` are left out. */
export function signed({ algorithm, privateKey }, header, claims) {
  const text = `${encode(header)}.${encode(claims)}`;
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" };
  return `${text}.${sign(algorithm === "EdDSA" ? null : "sha256", Buffer.from(text), key).toString("base64url")}`;
}
