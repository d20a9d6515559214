// ID tokens that break a rule of OpenID Connect Core 3.1.3.7 or of RFC 8725, each in one way only. Each gets the claims of the
// right token, and `key`: its private key as a JWK.
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign as signBytes } from "node:crypto";

import { sign } from "../tokens.mjs";

const HOUR = 3600;
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const HASHES = { RS256: "sha256", RS512: "sha512", ES256: "sha256", EdDSA: null };
const header = ({ alg, kid }) => ({ alg, kid, typ: "JWT" });

/** Signs with a private JWK; members that are `undefined` are left out. */
export function signed(head, claims, key) {
  const text = `${encode(head)}.${encode(claims)}`;
  const privateKey = createPrivateKey({ key, format: "jwk" });
  const signature = signBytes(HASHES[head.alg], Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}

/** An RSA key of an attacker under the name of the right one. */
function otherKey({ alg, kid }) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), alg, kid };
}

const publicText = (key) => createPublicKey(createPrivateKey({ key, format: "jwk" })).export({ format: "pem", type: "spki" });
const flipped = (token) => token.replace(/[^.](?=[^.]{9}$)/, (character) => (character === "A" ? "B" : "A"));

/** The right token with other claims. */
const withClaims = (change) => (claims, key) => signed(header(key), { ...claims, ...change(claims) }, key);
const withHeader = (change) => (claims, key) => signed({ ...header(key), ...change(key) }, claims, key);

export const ID_TOKEN_FAULTS = {
  "another nonce": withClaims(() => ({ nonce: "another-nonce-than-the-one-of-the-flow" })),
  "no nonce": withClaims(() => ({ nonce: undefined })),
  "another audience": withClaims(() => ({ aud: "another-client" })),
  "no audience": withClaims(() => ({ aud: undefined })),
  "an empty audience": withClaims(() => ({ aud: [] })),
  "another issuer": withClaims(({ iss }) => ({ iss: `${iss}.example.com` })),
  "the issuer with a slash": withClaims(({ iss }) => ({ iss: `${iss}/` })),
  "no issuer": withClaims(() => ({ iss: undefined })),
  "another azp": withClaims(({ aud }) => ({ aud: [aud, "another-client"], azp: "another-client" })),
  "two audiences and no azp": withClaims(({ aud }) => ({ aud: [aud, "another-client"], azp: undefined })),
  "another azp with one audience": withClaims(() => ({ azp: "another-client" })),
  expired: withClaims(({ iat }) => ({ iat: iat - 2 * HOUR, exp: iat - HOUR })),
  "no exp": withClaims(() => ({ exp: undefined })),
  "no iat": withClaims(() => ({ iat: undefined })),
  "issued before the flow began": withClaims(({ iat }) => ({ iat: iat - 12 * 60 })),
  "issued in the future": withClaims(({ iat }) => ({ iat: iat + HOUR, exp: iat + 2 * HOUR })),
  "not valid yet": withClaims(({ iat }) => ({ nbf: iat + HOUR })),
  "no subject": withClaims(() => ({ sub: undefined })),
  "an empty subject": withClaims(() => ({ sub: "" })),
  "a number as subject": withClaims(() => ({ sub: 42 })),
  "alg none": (claims, key) => `${encode({ ...header(key), alg: "none" })}.${encode(claims)}.`,
  "alg None": (claims, key) => `${encode({ ...header(key), alg: "None" })}.${encode(claims)}.`,
  "HS256 with the text of the public key": (claims, key) => {
    return sign({ ...header(key), alg: "HS256" }, claims, { secret: publicText(key) });
  },
  "RS512, which is not admitted": withHeader(() => ({ alg: "RS512" })),
  "a signature by another key": (claims, key) => signed(header(key), claims, otherKey(key)),
  "a changed signature": (claims, key) => flipped(signed(header(key), claims, key)),
  "a key in its header": (claims, key) => {
    const other = otherKey({ ...key, kid: undefined });
    const { kty, n, e } = other;
    return signed({ alg: "RS256", jwk: { kty, n, e }, typ: "JWT" }, claims, other);
  },
  "a critical header": withHeader(() => ({ crit: ["exp"], exp: 1 })),
  "no dots": (claims) => encode(claims),
  "no JSON inside": (claims, key) => signed(header(key), claims, key).replace(/\.[^.]+\./, ".bm8gSlNPTg."),
};

/** A token that names a key that the issuer never had. */
export const withUnknownKid = (kid) => withHeader(() => ({ kid }));
