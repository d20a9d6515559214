// The key of the archive: its id, and its signatures (Ed25519).
import { createHash, createPublicKey, verify } from "node:crypto";

export const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");

/** The id of a key: its thumbprint (RFC 7638). */
export function kidOf({ crv, kty, x }) {
  return createHash("sha256").update(JSON.stringify({ crv, kty, x })).digest("base64url");
}

/** The text that is signed: an object's number, and the hash of all lines above the signature. */
export const signedText = (number, digest) => `edge-auth audit object\n${number}\n${digest}`;

/** Is it the signature of the text, by the key of this JSON Web Key? */
export function isSignature(jwk, text, signature) {
  try {
    const key = createPublicKey({ key: jwk, format: "jwk" });
    return verify(null, Buffer.from(text), key, Buffer.from(signature, "base64url"));
  } catch {
    // No point of the curve.
    return false;
  }
}
