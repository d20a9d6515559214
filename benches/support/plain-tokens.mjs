// Tokens of the plain service: the product's, made and checked by WebCrypto.
import { Refused } from "./plain-input.js";

const MAX_LENGTH = 4096;
const CLOCK_SKEW_SECONDS = 60;
const ISSUER = "edge-auth";
const BASE64URL = { alphabet: "base64url", omitPadding: true };
const ALGORITHM = { name: "HMAC", hash: "SHA-256" };
const ID = /^[1-9][0-9]{0,15}$/;
const JTI = /^[0-9a-f]{32}$/;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** 128 random bits as hex. */
export const randomId = () => crypto.randomUUID().replaceAll("-", "");

/** Imported once per isolate: the key, its id, and the encoded header of each kind of token. */
let keys;
export const keysOf = ({ SECRET_KEY }) => (keys ??= importKeys(SECRET_KEY));

async function importKeys(secret) {
  const bytes = encoder.encode(secret);
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(`edge-auth key id\0${secret}`));
  const kid = new Uint8Array(digest, 0, 8).toHex();
  const key = await crypto.subtle.importKey("raw", bytes, ALGORITHM, false, ["sign", "verify"]);
  const header = (typ) => encoder.encode(JSON.stringify({ alg: "HS256", kid, typ })).toBase64(BASE64URL);
  return { key, kid, headers: { access: header("at+jwt"), refresh: header("rt+jwt") } };
}

export async function signed({ key, headers }, kind, claims) {
  const body = JSON.stringify({ ...claims, type: kind, iss: ISSUER, aud: ISSUER });
  const text = `${headers[kind]}.${encoder.encode(body).toBase64(BASE64URL)}`;
  const signature = await crypto.subtle.sign("HMAC", key, encoder.encode(text));
  return `${text}.${new Uint8Array(signature).toBase64(BASE64URL)}`;
}

/** The claims of a token of this kind; it throws `Refused` for any other text. */
export async function checkedClaims(keys, kind, token, now, { mayBeExpired = false } = {}) {
  const claims = await verifiedClaims(keys, kind, token);
  const seconds = now / 1000;
  if (claims === null || !isOurs(claims, kind) || claims.iat > seconds + CLOCK_SKEW_SECONDS) {
    throw new Refused("AUTH_TOKEN_INVALID");
  }
  if (claims.exp <= seconds && !mayBeExpired) {
    throw new Refused("AUTH_TOKEN_EXPIRED");
  }
  return claims;
}

/** The claims of a token with a good header and signature, else null. */
async function verifiedClaims({ key, kid, headers }, kind, token) {
  const [first, last] = [token.indexOf("."), token.lastIndexOf(".")];
  if (token.length > MAX_LENGTH || first < 0 || first === last) {
    return null;
  }
  try {
    const head = token.slice(0, first);
    // Nearly every token has the header that this service writes.
    if (head !== headers[kind] && !isHeader(parsed(head), kid, kind)) {
      return null;
    }
    const signature = Uint8Array.fromBase64(token.slice(last + 1), BASE64URL);
    const isGenuine = await crypto.subtle.verify("HMAC", key, signature, encoder.encode(token.slice(0, last)));
    return isGenuine ? parsed(token.slice(first + 1, last)) : null;
  } catch {
    return null;
  }
}

const parsed = (text) => JSON.parse(decoder.decode(Uint8Array.fromBase64(text, BASE64URL)));

const isHeader = (header, kid, kind) => {
  return header.alg === "HS256" && header.kid === kid && header.typ === (kind === "access" ? "at+jwt" : "rt+jwt");
};

function isOurs({ sub, sid, jti, type, iss, aud, iat, exp }, kind) {
  const isId = (text) => typeof text === "string" && ID.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER;
  return isId(sub) && isId(sid) && typeof jti === "string" && JTI.test(jti) && type === kind && iss === ISSUER &&
    aud === ISSUER && Number.isInteger(iat) && Number.isInteger(exp);
}
