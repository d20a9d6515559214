// The input of the plain service, read and checked as the product does.
const MAX_BODY_BYTES = 16 * 1024;
const MAX_USER_AGENT = 256;
const MEMBER = '"refresh_token"';
const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!$)|$)){4}$/;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

export const FAULTS = {
  NOT_FOUND: { status: 404, message: "Not found" },
  METHOD_NOT_ALLOWED: { status: 405, message: "Method not allowed" },
  PAYLOAD_TOO_LARGE: { status: 413, message: "Request body is too large" },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: "Request body must be JSON" },
  VALIDATION_ERROR: { status: 422, message: "Validation failed" },
  RATE_LIMITED: { status: 429, message: "Too many requests" },
  AUTH_TOKEN_INVALID: { status: 401, message: "Token is invalid" },
  AUTH_TOKEN_EXPIRED: { status: 401, message: "Token has expired" },
  AUTH_TOKEN_REVOKED: { status: 401, message: "Token has been revoked" },
  AUTH_INACTIVE_USER: { status: 403, message: "User is inactive" },
  SERVICE_UNAVAILABLE: { status: 503, message: "Service unavailable" },
  INTERNAL_ERROR: { status: 500, message: "Internal error" },
};

export class Refused extends Error {
  constructor(code, headers = []) {
    super(code);
    this.code = code;
    const challenge = ["WWW-Authenticate", 'Bearer realm="edge-auth", error="invalid_token"'];
    this.headers = code.startsWith("AUTH_TOKEN") ? [...headers, challenge] : headers;
  }
}

/** The token of `Authorization: Bearer …`. */
export function bearerToken(headers) {
  const value = headers.get("Authorization");
  const space = value === null ? -1 : value.indexOf(" ");
  const token = space < 0 ? "" : value.slice(space + 1).trim();
  // Two such headers arrive as one, with a comma, which no token has.
  if (token === "" || token.includes(",") || value.slice(0, space).toLowerCase() !== "bearer") {
    throw new Refused("AUTH_TOKEN_INVALID");
  }
  return token;
}

/** The member `refresh_token` of a JSON body. */
export async function presentedToken(request) {
  const text = await readText(request);
  if (!declaresJson(request.headers.get("Content-Type"))) {
    throw new Refused("UNSUPPORTED_MEDIA_TYPE");
  }
  let token;
  try {
    token = JSON.parse(text).refresh_token;
  } catch {
    throw new Refused("VALIDATION_ERROR");
  }
  // JSON.parse passes over a duplicate.
  if (typeof token !== "string" || text.indexOf(MEMBER) !== text.lastIndexOf(MEMBER)) {
    throw new Refused("VALIDATION_ERROR");
  }
  return token;
}

async function readText(request) {
  const announced = request.headers.get("Content-Length");
  if (announced !== null) {
    if (Number(announced) > MAX_BODY_BYTES) {
      throw new Refused("PAYLOAD_TOO_LARGE");
    }
    return request.text();
  }
  const reader = request.body?.getReader({ mode: "byob" });
  const { value } = (await reader?.readAtLeast(MAX_BODY_BYTES + 1, new Uint8Array(MAX_BODY_BYTES + 1))) ?? {};
  if (value?.byteLength > MAX_BODY_BYTES) {
    throw new Refused("PAYLOAD_TOO_LARGE");
  }
  return new TextDecoder().decode(value);
}

/** `application/json` or a type with `+json`; a charset, if given, must be UTF-8. */
function declaresJson(type) {
  if (type === "application/json") {
    return true;
  }
  const [essence, ...parameters] = (type ?? "").toLowerCase().split(";").map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice(8).replaceAll('"', "");
  const isJson = essence === "application/json" || /^application\/.*\+json$/.test(essence);
  return isJson && (charset === undefined || charset === "utf-8");
}

/** Address, network of the rate limit, and user agent of the client. */
export function clientOf(headers) {
  const ip = addressOf(headers.get("CF-Connecting-IP")?.trim());
  const given = headers.get("User-Agent")?.trim().replace(CONTROL, "") ?? "";
  const agent = given.length > MAX_USER_AGENT ? [...given].slice(0, MAX_USER_AGENT).join("") : given;
  return { ip, network: ip === null ? "unknown" : networkOf(ip), agent: agent === "" ? null : agent };
}

function addressOf(text) {
  if (text === undefined) {
    return null;
  }
  if (IPV4.test(text)) {
    return text;
  }
  return URL.canParse(`http://[${text}]`) ? new URL(`http://[${text}]`).hostname.slice(1, -1) : null;
}

/** An IPv4 address, or the first 64 bits of an IPv6 address. */
function networkOf(ip) {
  if (!ip.includes(":")) {
    return ip;
  }
  const [head, tail] = ip.split("::");
  const groups = head.split(":");
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(":").length;
  const all = [...groups, ...Array(missing).fill("0"), ...(tail?.split(":") ?? [])];
  return `${all.slice(0, 4).join(":")}::/64`;
}
