// A browser without a screen, as far as a sign-in at a provider needs one: cookies, redirects, and forms with buttons.

/** The attributes of a cookie that matter here. */
function cookieOf(line, url) {
  const [pair, ...attributes] = line.split(/;\s*/);
  const [name] = pair.split("=");
  const { path = "/", expires } = Object.fromEntries(attributes.map((attribute) => attribute.split("=")));
  const isGone = expires !== undefined && Date.parse(expires) <= Date.now();
  return { name, pair, isGone, path, origin: new URL(url).origin };
}

export class Browser {
  #cookies = new Map();

  #cookiesFor(url) {
    const { origin, pathname } = new URL(url);
    const fitting = [...this.#cookies.values()].filter((cookie) => {
      return cookie.origin === origin && (pathname === cookie.path || pathname.startsWith(cookie.path.replace(/\/?$/, "/")));
    });
    return fitting.map(({ pair }) => pair).join("; ");
  }

  #keep(response, url) {
    for (const cookie of response.headers.getSetCookie().map((line) => cookieOf(line, url))) {
      const key = [cookie.origin, cookie.path, cookie.name].join(" ");
      this.#cookies[cookie.isGone ? "delete" : "set"](key, cookie);
    }
  }

  /** One request without following a redirect: `{status, location, text}`. */
  async request(url, { form } = {}) {
    const cookies = this.#cookiesFor(url);
    const response = await fetch(url, {
      method: form ? "POST" : "GET",
      body: form && new URLSearchParams(form),
      redirect: "manual",
      headers: cookies ? { Cookie: cookies } : {},
    });
    this.#keep(response, url);
    const location = response.headers.get("location");
    return { status: response.status, location: location && new URL(location, url).href, text: await response.text() };
  }

  /**
   * Follows redirects within the origin of `url`, and answers its pages by `answer(text)`: the values of the form. Returns the
   * first address elsewhere, which is not fetched.
   */
  async leave(url, answer) {
    const { origin } = new URL(url);
    let [next, form] = [url];
    for (let steps = 0; steps < 20; steps += 1) {
      const { status, location, text } = await this.request(next, { form });
      if (location && new URL(location).origin !== origin) {
        return location;
      }
      form = location ? undefined : answer(text, status);
      next = location ?? next;
    }
    throw new Error(`no way out of ${url}`);
  }
}
