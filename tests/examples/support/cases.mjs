// Tokens that a resource server must refuse, and a few that it must accept: one table for all examples.
import { createHmac, createPublicKey } from "node:crypto";

import { decode } from "../../e2e/support/tokens.mjs";
import { signed, strangersKey } from "./keys.mjs";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = () => Math.floor(Date.now() / 1000);

function hmacSigned(header, claims, secret) {
  const text = `${encode({ ...header, alg: "HS256" })}.${encode(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/**
 * @param {object} given
 * @param {object} given.person a user of the service, with `access` and `refresh`
 * @param {object} given.stranger a user of another deployment
 * @param {string} given.machine a token of a service account of the service
 * @param {object} given.key the key that signs, with its private half
 * @param {object[]} given.published the published keys
 * @returns {{accepted: Record<string, string>, refused: Record<string, string>}} tokens by the reason
 */
export function cases({ person, stranger, machine, key, published }) {
  const { header, claims } = decode(person.access);
  const [head, body, signature] = person.access.split(".");
  const withClaims = (changes) => signed(key, header, { ...claims, ...changes });
  const withHeader = (changes) => signed(key, { ...header, ...changes }, claims);
  const mine = strangersKey(key);
  const myJwk = createPublicKey(mine.privateKey).export({ format: "jwk" });
  const jwk = published.find(({ kid }) => kid === key.kid);
  const pem = createPublicKey(key.privateKey).export({ format: "pem", type: "spki" });
  const service = { sub: "sa_4503599627370497", client_id: "sa_4503599627370497", scope: "users:read", sid: undefined };
  return {
    accepted: {
      "as issued": person.access,
      "signed by the test with the key of the service": withClaims({}),
      "with a type that is written out": withHeader({ typ: "application/at+jwt" }),
    },
    refused: {
      "expired": withClaims({ iat: now() - 1000, exp: now() - 30 }),
      "without an end": withClaims({ exp: undefined }),
      "valid in the future": withClaims({ nbf: now() + 1000 }),
      "for another audience": withClaims({ aud: "billing" }),
      "for no audience": withClaims({ aud: undefined }),
      "of another issuer": withClaims({ iss: "https://auth.example.com" }),
      "of no issuer": withClaims({ iss: undefined }),
      "a refresh token": person.refresh,
      "a refresh token by its type alone": withHeader({ typ: "rt+jwt" }),
      "a refresh token by its claim alone": withClaims({ type: "refresh" }),
      "of no kind": withClaims({ type: undefined }),
      "of the general type": withHeader({ typ: "JWT" }),
      "without a type": withHeader({ typ: undefined }),
      "of a service account": machine,
      "of a service account by its claims alone": withClaims({ ...service, type: "service" }),
      "of a service account, as an access token": withClaims(service),
      "of a service account with a session": withClaims({ ...service, sid: claims.sid }),
      "of no session": withClaims({ sid: undefined }),
      "of a session that is a number": withClaims({ sid: 1 }),
      "of no user": withClaims({ sub: undefined }),
      "of a user that is a number": withClaims({ sub: 1 }),
      "of a user below zero": withClaims({ sub: "-1" }),
      "of a user with a sign": withClaims({ sub: "+1" }),
      "of a user with leading zeros": withClaims({ sub: "01" }),
      "of a user with digits of another script": withClaims({ sub: "١" }),
      "of a user with a line break": withClaims({ sub: "1\n" }),
      "of another deployment": stranger.access,
      "signed by a stranger under a known key id": signed(mine, header, claims),
      "signed by a stranger with the key in the header": signed(mine, { ...header, jwk: myJwk }, claims),
      "signed by a stranger with the address of a key set": signed(mine, { ...header, jku: "http://127.0.0.1:9/", kid: "x" }, claims),
      "of an unknown key": withHeader({ kid: "unknown" }),
      "of no key": withHeader({ kid: undefined }),
      "of a key id that is no text": withHeader({ kid: 1 }),
      "signed under the name of another algorithm": withHeader({ alg: key.algorithm === "EdDSA" ? "ES256" : "EdDSA" }),
      "with an extension that must be understood": withHeader({ crit: ["exp"], exp: 1 }),
      "HS256 with the published key as secret": hmacSigned(header, claims, JSON.stringify(jwk)),
      "HS256 with the bytes of the published key as secret": hmacSigned(header, claims, Buffer.from(jwk.x, "base64url")),
      "HS256 with the PEM of the published key as secret": hmacSigned(header, claims, pem),
      "without a signature": `${encode({ ...header, alg: "none" })}.${body}.`,
      "without a signature, in other letters": `${encode({ ...header, alg: "nOnE" })}.${body}.`,
      "with the signature left out": `${head}.${body}.`,
      "with a signature of zeros": `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`,
      "with the signature of the token of another user": `${head}.${encode({ ...claims, sub: "999" })}.${signature}`,
      "of two parts": `${head}.${body}`,
      "of four parts": `${person.access}.${signature}`,
      "not a token": "token",
    },
  };
}
