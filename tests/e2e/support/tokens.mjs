// JSON Web Tokens, read and written without any library, so that the tests depend on the wire format alone.
import { createHash, createHmac, randomBytes } from "node:crypto";

import { SECRET_KEY } from "./service.mjs";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decodePart = (part) => JSON.parse(Buffer.from(part, "base64url").toString("utf8"));

/** The parts of a token: `{header, claims, signature}`. */
export function decode(token) {
  const [header, claims, signature] = token.split(".");
  return { header: decodePart(header), claims: decodePart(claims), signature };
}

/** The key id that belongs to a secret. */
export function keyId(secret = SECRET_KEY) {
  return createHash("sha256").update("edge-auth key id\0").update(secret).digest("hex").slice(0, 16);
}

/** Signs any header and claims, however wrong they are; members that are `undefined` are left out. */
export function sign(header, claims, { secret = SECRET_KEY, hash = "sha256" } = {}) {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${createHmac(hash, secret).update(text).digest("base64url")}`;
}

/** The header of a good token of this kind. */
export function headerOf(kind) {
  return { alg: "HS256", kid: keyId(), typ: kind === "access" ? "at+jwt" : "rt+jwt" };
}

/** The claims of a good token of this kind, for no user in particular. */
export function claimsOf(kind) {
  const now = Math.floor(Date.now() / 1000);
  return {
    exp: now + 600,
    iat: now,
    sub: "1",
    jti: randomBytes(16).toString("hex"),
    sid: "4503599627370496",
    type: kind,
    iss: "edge-auth",
    aud: "edge-auth",
  };
}

/** A good token with these changes. */
export function forge(kind, { header = {}, claims = {} } = {}, options = {}) {
  return sign({ ...headerOf(kind), ...header }, { ...claimsOf(kind), ...claims }, options);
}

/** The same token with an `exp` long past. */
export function expired(token) {
  const { header, claims } = decode(token);
  return sign(header, { ...claims, iat: claims.iat - 90_000_000, exp: claims.exp - 90_000_000 });
}
