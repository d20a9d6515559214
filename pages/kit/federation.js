// The sign-in with another provider, as far as this browser takes part in it: the way to the provider, and the memory of it until
// the return, which is a fragment of /account, or of /console for a step-up that began there.
//
//   const answer = await goToProvider({ provider, purpose: "link", ask });   // leaves the page, if the service agrees
//   const returned = takeReturn();                                          // once, at the load of the page
//   await exchange("POST", EXCHANGE, { body: { flow: returned.flow, code: returned.code } });
//
// A code of a provider counts only together with the flow that this tab has kept. Otherwise a link to `/account#code=…` would sign
// its visitors in to the account of an attacker, or link the attacker's identity to theirs (RFC 6749 §10.12).
import { commonTexts as texts } from "../texts.js";
import { ownFailure } from "./failures.js";
import { BASE, exchange } from "./transport.js";

export const EXCHANGE = "auth/federated/exchange";

/** Did the exchange not use the code up, for want of an answer or of capacity? */
export const isUnused = ({ status }) => status === 0 || status === 429 || status >= 500;

const KEPT = `edge-auth federated ${BASE}`;
/** The service takes only these pages: without a query or a fragment. The token of a step-up is kept by the page that needs it. */
const returnUrl = (purpose) =>
  new URL(purpose === "step-up" ? location.pathname : `${BASE}account`, location.href).href;
/** The members of the request that name a purpose. */
const PURPOSES = { "sign-in": {}, link: { link: true }, "step-up": { step_up: true } };
/** The view of the return, in the fragment. */
const VIEW = "#/federated";

/** The page and the view of the moment: "account#/security". */
const present = () => location.pathname.slice(BASE.length) + location.hash;

const asStranger = (path, body) => exchange("POST", path, { body });

/**
 * Asks the service for the provider's page, and goes there. The result is the answer of a refusal, or after a way back through
 * the history of the browser, that of the success.
 * @param {{provider: string, purpose?: string, back?: string, ask?: Function}} options `back` is the place to return to, `ask(path,
 *   body)` sends the request in the name of the user
 */
export async function goToProvider({ provider, purpose = "sign-in", back = present(), ask = asStranger }) {
  const answer = await ask(`auth/federated/${provider}`, { return_url: returnUrl(purpose), ...PURPOSES[purpose] });
  if (answer.status !== 200) {
    return answer;
  }
  const { flow, authorize_url: url } = answer.body;
  if (!keep({ flow, provider, purpose, back })) {
    return ownFailure(texts.noStorage);
  }
  location.assign(url);
  await new Promise((done) => addEventListener("pageshow", done, { once: true }));
  return answer;
}

/** False if the browser keeps nothing for this page: the return would be of no use. */
function keep(kept) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(kept));
    return true;
  } catch {
    return false;
  }
}

/**
 * The return of a provider, once, without a trace in the address bar: `{code | error, flow, provider, purpose, back}`. The last
 * four are missing if this tab has not begun it. Undefined at any other load of the page.
 */
export function takeReturn() {
  if (!isReturn()) {
    return undefined;
  }
  const { code, error } = Object.fromEntries(given());
  history.replaceState(null, "", VIEW);
  return { code, error, ...takeKept() };
}

const given = () => new URLSearchParams(location.hash.slice(1));

/** Does the fragment come from a provider? */
export const isReturn = () => given().has("code") || given().has("error");

function takeKept() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT));
    sessionStorage.removeItem(KEPT);
    return kept;
  } catch {
    return undefined;
  }
}
