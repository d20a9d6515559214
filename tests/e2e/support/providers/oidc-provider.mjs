// npm `oidc-provider` as the provider of a test, and a person that signs in there.
import { Browser } from "./browser.mjs";
import { startOpenIdProvider } from "../../../../scripts/provider/openid-provider.mjs";

export { Browser };

/** The answer of a person to a page of the provider: the values of its form. */
function answers({ account, isRefusing }) {
  return (text, status) => {
    const [, answer] = text.match(/<button name="answer" value="(login|consent)"/) ?? [];
    if (status !== 200 || answer === undefined || text.includes('role="alert"')) {
      throw new Error(`the provider said ${status} ${text}`);
    }
    return isRefusing ? { answer: "cancel" } : { answer, ...(answer === "login" && { account }) };
  };
}

/**
 * A provider of the test `t`, with the options of `startOpenIdProvider`. Without `t` the caller stops it.
 * `authorize(url, {account, isRefusing, browser})` does the part of a person at the provider. It returns the URL of the callback,
 * to which the provider sends the browser, and does not fetch it. A `browser` of an earlier sign-in has its cookies.
 */
export async function startProvider(t, options) {
  const provider = await startOpenIdProvider(options);
  t?.after(() => provider.stop());
  const authorize = (url, { browser = new Browser(), ...person } = {}) => browser.leave(url, answers(person));
  return { ...provider, authorize };
}
