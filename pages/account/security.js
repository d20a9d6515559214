// The view of the ways to sign in: password, authenticator app, recovery codes, passkeys, linked accounts. Each has a file of its
// own; this one arranges them, and loads their data.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { createList, createSource } from "../kit/source.js";
import { card, heading } from "../kit/ui.js";
import { accountTexts } from "../texts.js";
import { createAppFactor } from "./app-factor.js";
import { createIdentities } from "./identities.js";
import { createPasskeys } from "./passkeys.js";
import { createPasswordForm } from "./password.js";
import { createRecoveryCodes } from "./recovery-codes.js";

const texts = accountTexts.security;

export const securityView = { title: texts.title, open };

function open(host, context) {
  const { settings } = context;
  const redraw = () => draw();
  const factors = createSource({ redraw, read: () => request("GET", "users/me/mfa") });
  const passkeys = createList({ redraw, read: (cursor) => request("GET", "users/me/passkeys", { query: { limit: 100, cursor } }) });

  const identities = createSource({ redraw, read: () => request("GET", "users/me/identities") });

  /** After a change of a second factor, both lists may be others. */
  const reload = () => Promise.all([factors.load(), ...(settings.passkeys ? [passkeys.load()] : [])]);

  const parts = { context, redraw, reload };
  const password = createPasswordForm(parts);
  const app = createAppFactor(parts);
  const codes = createRecoveryCodes(parts);
  const keys = createPasskeys(parts);
  const hasProviders = settings.providers?.length > 0;
  const accounts = createIdentities({ ...parts, reload: identities.load });

  const hasFactor = () => Boolean(factors.value?.totp) || passkeys.items().length > 0;

  const draw = () => render(html`
    ${heading(texts.title)}
    ${context.user.email_verified || !settings.mail || settings.email_verification === "off"
      ? nothing
      : html`<div class="notice" data-kind="warn"><p>${texts.verifyFirst} <a href="#/overview">${texts.toOverview}</a></p></div>`}
    ${settings.passkeys ? card({ id: "passkeys", title: texts.passkeys.title, body: passkeys.view(keys.view) }) : nothing}
    ${card({ id: "app", title: texts.app.title, body: factors.view(app.view) })}
    ${hasFactor() ? card({ id: "codes", title: texts.codes.title, body: factors.view(codes.view) }) : nothing}
    ${card({ id: "password", title: texts.password.title, body: password.view() })}
    ${hasProviders ? card({ id: "identities", title: texts.identities.title, body: identities.view(accounts.view) }) : nothing}
  `, host);

  draw();
  reload();
  if (hasProviders) {
    identities.load();
  }
}
