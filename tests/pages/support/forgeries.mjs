// Requests that a page of another origin makes its visitors' browsers send (cross-site request forgery). Each runs in the page of the
// attacker, `place`, a tab or a frame, and makes the browser send exactly one request to `url`, be it only a preflight. `text` is a
// JSON text, as the service likes it.

/** A form in a frame of the page; the frame gets the answer. `fields` are pairs of names and values. */
const form = (enctype, fieldsOf) => (place, url, text) =>
  place.evaluate(async ({ url, enctype, fields }) => {
    const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { name: `sink-${Math.random()}` }));
    const form = document.body.appendChild(document.createElement("form"));
    Object.assign(form, { action: url, method: "post", enctype, target: frame.name });
    for (const [name, value] of fields) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    const answered = new Promise((done) => frame.addEventListener("load", done));
    form.submit();
    await answered;
  }, { url, enctype, fields: fieldsOf(text) });

const membersOf = (text) => Object.entries(JSON.parse(text));
/** `{…,"x":"` and `"}`: the equals sign of the form is in the value of a member that the service ignores. */
const asJson = (text) => [[`${text.slice(0, -1)},"x":"`, '"}']];

/** A fetch; an answer that the page may not read is an exception. */
const fetched = (options, { hasBody = true, hasType = true } = {}) => (place, url, text) =>
  place.evaluate(async ({ url, options, body, hasType }) => {
    const content = hasType ? body : new Blob([body]);
    await fetch(url, { method: "POST", ...options, body: content }).catch(() => {});
  }, { url, options, body: hasBody ? text : undefined, hasType });

const JSON_TYPE = { "Content-Type": "application/json" };
/** Not one of the types that need no preflight, but it contains the name of another one. */
const DISGUISED = { "Content-Type": "text/plain; charset=application/json" };

export const FORGERIES = {
  "a form": form("application/x-www-form-urlencoded", membersOf),
  "a form of text that is JSON": form("text/plain", asJson),
  "a form of several parts": form("multipart/form-data", membersOf),
  "an empty form": form("application/x-www-form-urlencoded", () => []),
  "fetch of JSON": fetched({ credentials: "include", headers: JSON_TYPE }),
  "fetch of JSON without cookies": fetched({ credentials: "omit", headers: JSON_TYPE }),
  "fetch of JSON without CORS": fetched({ credentials: "include", mode: "no-cors", headers: JSON_TYPE }),
  "fetch of text": fetched({ credentials: "include", headers: DISGUISED }),
  "fetch of text without CORS": fetched({ credentials: "include", mode: "no-cors", headers: DISGUISED }),
  "fetch of bytes without a type": fetched({ credentials: "include", mode: "no-cors" }, { hasType: false }),
  "fetch of nothing": fetched({ credentials: "include" }, { hasBody: false }),
  "fetch of nothing without CORS": fetched({ credentials: "include", mode: "no-cors" }, { hasBody: false }),
  "fetch that outlives its page": fetched({ credentials: "include", mode: "no-cors", keepalive: true }),
  "a beacon of text": (place, url, text) => place.evaluate(([url, text]) => navigator.sendBeacon(url, text), [url, text]),
  "a beacon of JSON": (place, url, text) =>
    place.evaluate(([url, text]) => navigator.sendBeacon(url, new Blob([text], { type: "application/json" })), [url, text]),
  "an empty beacon": (place, url) => place.evaluate((url) => navigator.sendBeacon(url), url),
  "a ping of a link": (place, url) =>
    place.evaluate((url) => {
      const { name } = document.body.appendChild(Object.assign(document.createElement("iframe"), { name: `sink-${Math.random()}` }));
      Object.assign(document.createElement("a"), { href: "about:blank", target: name, ping: url }).click();
    }, url),
  "an image": (place, url) => place.evaluate((url) => void (new Image().src = url), url),
};

/** The same by the way of the attacker's own server, which redirects with the method and the body. */
export const DETOURS = ["a form", "a form of text that is JSON", "fetch of nothing without CORS", "fetch of text without CORS"];

/** A form that replaces the page itself. Returns the status of the answer. */
export async function topLevelForm(tab, url, text) {
  const answered = tab.waitForResponse((response) => response.request().isNavigationRequest() && response.url() === url);
  await tab.evaluate(([url, name, value]) => {
    const form = document.body.appendChild(document.createElement("form"));
    Object.assign(form, { action: url, method: "post", enctype: "text/plain" });
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    form.submit();
  }, [url, ...asJson(text)[0]]);
  const status = (await answered).status();
  await tab.waitForURL(url);
  return status;
}

/** A frame of the page whose origin is "null". */
export async function sandbox(tab) {
  await tab.evaluate(async () => {
    const frame = Object.assign(document.createElement("iframe"), { srcdoc: "<p>Sandbox</p>" });
    frame.sandbox = "allow-scripts allow-forms";
    const loaded = new Promise((done) => frame.addEventListener("load", done));
    document.body.append(frame);
    await loaded;
  });
  return tab.frames().at(-1);
}
