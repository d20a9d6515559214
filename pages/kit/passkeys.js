// Passkeys in the browser (WebAuthn): the options and answers of the service are JSON, those of the browser have bytes.
//
//   if (hasPasskeys(settings)) …
//   const { credential, error } = await createPasskey(options);       // error: words for the person
//   const { credential, error } = await usePasskey(options);          // after a click
//   const stop = offerPasskeys({ start, finish });                    // conditional UI: in the field of the address
//
// One ceremony runs at a time: each one ends the offer in the field of the address. The offer comes back after a failure in the
// browser, after the service has refused an offered passkey, and when the person goes to the field once more.
import { commonTexts as texts } from "../texts.js";
import { forCreate, forGet, toJson } from "./passkeys-json.js";

/** Challenges are valid for five minutes: an offer is renewed before. */
const OFFER_MS = 240_000;
/** The field in which the browser offers passkeys. */
const OFFERED_IN = '[autocomplete~="webauthn"]';

/** `{controller, resume}` of the running offer. */
let offer;
/** Does the browser show a ceremony of its own? */
let isAsking = false;

/** Tabs in the background ask for no challenge. */
async function visible() {
  while (document.hidden) {
    await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
  }
}

/** Do the deployment and this browser have passkeys? */
export const hasPasskeys = (settings) => settings.passkeys && window.PublicKeyCredential !== undefined;

/** Registers a passkey: `{credential}` for the service, or `{error}`. */
export const createPasskey = (options) =>
  ceremony(async () => navigator.credentials.create({ publicKey: forCreate(options) }), texts.passkeyErrorsAtCreation);

/** Presents a passkey: `{credential}` for the service, or `{error}`. */
export const usePasskey = (options) =>
  ceremony(async () => navigator.credentials.get({ publicKey: forGet(options) }), texts.passkeyErrors);

async function ceremony(run, words) {
  offer?.controller.abort();
  isAsking = true;
  try {
    return { credential: toJson(await run()) };
  } catch ({ name }) {
    offer?.resume();
    return { error: words[name] ?? texts.passkeyFailed(name) };
  } finally {
    isAsking = false;
  }
}

/**
 * Lets the browser offer passkeys in the field with `autocomplete="username webauthn"`.
 * @param {{start: Function, finish: Function}} steps `start()` asks the service for `{flow, options}`, or returns undefined;
 *   `finish({flow, credential})` sends the chosen one, and ends the offer by itself if the service takes it
 * @returns {Function} ends the offer
 */
export function offerPasskeys(steps) {
  const own = { controller: new AbortController(), resume: () => run() };
  offer = own;

  async function run() {
    if (offer !== own || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) {
      return;
    }
    own.controller.abort();
    own.controller = new AbortController();
    const { signal } = own.controller;
    const isWanted = () => offer === own && !signal.aborted;
    await visible();
    const offered = isWanted() ? await steps.start() : undefined;
    if (offered !== undefined && isWanted()) {
      await choose(offered, signal);
    }
  }

  async function choose({ flow, options }, signal) {
    const renewal = setTimeout(run, OFFER_MS);
    try {
      const credential = await navigator.credentials.get({ mediation: "conditional", signal, publicKey: forGet(options) });
      clearTimeout(renewal);
      await steps.finish({ flow, credential: toJson(credential) });
      run();
    } catch {
      // Ended, or refused by the person: the button is left.
    } finally {
      clearTimeout(renewal);
    }
  }

  /** A ceremony has ended the offer, and the service may have refused its passkey. */
  function onFocus({ target }) {
    if (own.controller.signal.aborted && !isAsking && target.matches(OFFERED_IN)) {
      run();
    }
  }

  document.addEventListener("focusin", onFocus);
  run();
  return () => {
    document.removeEventListener("focusin", onFocus);
    own.controller.abort();
    offer = offer === own ? undefined : offer;
  };
}
