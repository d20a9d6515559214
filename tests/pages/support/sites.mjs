// Sites around the service, for attacks and for applications. Ports make no site: pages of `http://localhost:<any port>` are of the
// site of the service, and of another origin; those of `http://127.0.0.1:<any port>` are of another site.
import { once } from "node:events";
import { createServer } from "node:http";

import { startService } from "../../e2e/support/service.mjs";
import { freePort } from "./authenticator.mjs";

const DOCUMENT = "<!doctype html><html lang=en><title>Another site</title><link rel=icon href=data:,><p>Another site</p></html>";

/**
 * Serves pages that do not belong to the service: `{sameSite, crossSite, stop}`, with both origins of one server. All paths are an
 * empty page, but `/to?<URL>` redirects with the method and the body (307).
 */
export async function startSite() {
  const server = createServer((request, response) => {
    request.resume();
    const [path, query] = request.url.split("?");
    if (path === "/to") {
      response.writeHead(307, { Location: decodeURIComponent(query) }).end();
    } else {
      response.writeHead(200, { "Content-Type": "text/html" }).end(DOCUMENT);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { sameSite: `http://localhost:${port}`, crossSite: `http://127.0.0.1:${port}`, stop };
}

/** The service at localhost, without mail: `page` is its place in browsers. Applications at `listed` may call it. */
export async function startAtSite({ listed = [], settings = {}, ...options } = {}) {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  const passkeys = { WEBAUTHN_RP_ID: "localhost", WEBAUTHN_ORIGINS: JSON.stringify([origin]) };
  const all = { PASSWORD_ITERATIONS: "1", BACKEND_CORS_ORIGINS: JSON.stringify(listed), ...passkeys, ...settings };
  const service = await startService({ port, settings: all, ...options });
  return Object.assign(service, { page: { origin } });
}

/** Opens another page in the browser of a page: it has the same cookies and the same storage. */
export async function openBeside(page, url) {
  const other = await page.context().newPage();
  await other.goto(url);
  return other;
}

/** The cookies of a browser, by their names. */
export async function jarOf(page) {
  const cookies = await page.context().cookies();
  return Object.fromEntries(cookies.map(({ name, value }) => [name, value]));
}
