// Prints the newest mails of the local service, with their links and codes: `make dev` delivers none, and wrangler
// keeps them as long as it runs. Environment variable: PORT of `make dev`.
import { giveUp } from "./database.mjs";

const SHOWN = 5;
const service = `http://127.0.0.1:${process.env.PORT}`;
/** wrangler's local explorer: a list without texts, the newest first; with `email_id`, one mail with them. */
const explorer = new URL("/cdn-cgi/local/explorer/api/local/email/sending", service);

async function ask(query) {
  explorer.search = new URLSearchParams(query);
  const response = await fetch(explorer, { signal: AbortSignal.timeout(10_000) }).catch(({ cause }) => {
    giveUp(`No service answers at ${service} (${cause?.code ?? "no answer"}): run \`make dev\` first, or set PORT=.`);
  });
  const { result } = await response.json().catch(() => ({}));
  if (!response.ok || !result) {
    giveUp(`The service at ${service} was not started by \`make dev\`: it shows no mails (${response.status}).`);
  }
  return result;
}

const mails = await ask({ per_page: SHOWN });
if (mails.length === 0) {
  console.log(`No mail since \`make dev\` started at ${service}. A registration sends one.`);
}
// The newest comes last, next to the prompt.
for (const { messageId, to, subject, sentAt } of mails.reverse()) {
  const { text = "" } = await ask({ email_id: messageId });
  const lines = text.trimEnd().split("\n").map((line) => `  ${line}`.trimEnd());
  console.log([`▸ ${subject}`, `  to ${to.join(", ")}, ${sentAt}`, "", ...lines, ""].join("\n"));
}
