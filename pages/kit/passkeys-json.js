// The JSON of WebAuthn (Level 3, §5.1.8 to §5.1.10), for browsers that know it and for those that do not yet.

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const textOf = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const listed = (credentials = []) => credentials.map((credential) => ({ ...credential, id: bytes(credential.id) }));

/** The members of both kinds of responses. */
const MEMBERS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];

export const forCreate = (options) =>
  PublicKeyCredential.parseCreationOptionsFromJSON?.(options) ?? {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: listed(options.excludeCredentials),
  };

export const forGet = (options) =>
  PublicKeyCredential.parseRequestOptionsFromJSON?.(options) ?? {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: listed(options.allowCredentials),
  };

export const toJson = (credential) => credential.toJSON?.() ?? {
  id: credential.id,
  rawId: textOf(credential.rawId),
  type: credential.type,
  response: responseOf(credential.response),
};

function responseOf(response) {
  const present = MEMBERS.filter((name) => response[name]);
  const transports = response.getTransports === undefined ? {} : { transports: response.getTransports() };
  return { ...Object.fromEntries(present.map((name) => [name, textOf(response[name])])), ...transports };
}
