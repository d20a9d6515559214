// The pages of the provider: plain HTML forms for the two questions of `oidc-provider`, sign-in and consent. A browser shows
// them, and a test can post them. There are no passwords: an account is chosen by its address or its subject.
import { text } from "node:stream/consumers";

const ESCAPED = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (value) => String(value ?? "").replace(/[&<>"']/g, (character) => ESCAPED[character]);

const page = (title, body) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)}</title>
<style>body { font: 16px/1.5 sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>${escape(title)}</h1>
${body}
</html>
`;

const CANCEL = `<button name="answer" value="cancel" formnovalidate>Cancel</button>`;

function signInPage(client, accounts, { hint, fault }) {
  const options = accounts.map(({ email, sub, name }) => `<option value="${escape(email ?? sub)}">${escape(name)}</option>`);
  return page(
    "Sign in",
    `<p>to continue to <strong>${escape(client)}</strong></p>
${fault ? `<p role="alert">${escape(fault)}</p>` : ""}
<form method="post">
<p><label>Account <input name="account" list="accounts" value="${escape(hint)}" required autofocus autocomplete="off"></label></p>
<datalist id="accounts">${options.join("")}</datalist>
<button name="answer" value="login">Sign in</button>
${CANCEL}
</form>`,
  );
}

function consentPage(client, scopes) {
  return page(
    "Allow access",
    `<p><strong>${escape(client)}</strong> asks for: ${escape(scopes.join(", "))}.</p>
<form method="post">
<button name="answer" value="consent">Allow</button>
${CANCEL}
</form>`,
  );
}

/** `oidc-provider` asks for it where an error cannot be returned to a client. */
export function renderError(context, out) {
  context.type = "html";
  context.body = page("Refused", `<p role="alert"><code>${escape(out.error)}</code> ${escape(out.error_description)}</p>`);
}

const REFUSED = { error: "access_denied", error_description: "the person refused" };

function sendPage(response, body, status = 200) {
  response.writeHead(status, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" });
  response.end(body);
}

/** The grant for all scopes of the request; `missing` are those that the client did not have before. */
async function granted(provider, { grantId, session, params, prompt }) {
  const owner = { accountId: session.accountId, clientId: params.client_id };
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant(owner);
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(" "));
  return grant.save();
}

/** The listener for `/interaction/<id>`: GET shows the question, POST answers it. */
export function interactionPages(provider, accounts) {
  const show = (response, { prompt, params }, fault) => {
    const isLogin = prompt.name === "login";
    const hint = fault ? "" : params.login_hint;
    const scopes = prompt.details.missingOIDCScope ?? [];
    sendPage(response, isLogin ? signInPage(params.client_id, accounts, { hint, fault }) : consentPage(params.client_id, scopes));
  };
  const answer = async (request, response, interaction) => {
    const form = new URLSearchParams(await text(request));
    const finish = (result, merge) => {
      return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: merge });
    };
    if (form.get("answer") === "cancel") {
      return finish(REFUSED, false);
    }
    if (interaction.prompt.name === "consent") {
      return finish({ consent: { grantId: await granted(provider, interaction) } }, true);
    }
    const wanted = form.get("account")?.trim();
    const account = accounts.find(({ sub, email }) => [sub, email].includes(wanted));
    return account ? finish({ login: { accountId: account.sub } }, false) : show(response, interaction, "No such account.");
  };
  return async (request, response) => {
    try {
      const interaction = await provider.interactionDetails(request, response);
      await (request.method === "POST" ? answer(request, response, interaction) : show(response, interaction));
    } catch (error) {
      sendPage(response, page("Refused", `<p role="alert">${escape(error.message)}</p>`), error.statusCode ?? 500);
    }
  };
}
