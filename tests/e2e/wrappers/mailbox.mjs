// The binding EMAIL as a mailbox. `GET /__mails` has the accepted mails as the service handed them over, in order:
// `[{from, to, subject, text, html}]`. `POST /__mails` with `{mode}` chooses the fate of the mails to come, and answers
// `{calls, early}`, the number of calls so far, and of those before the response of their request was made; an empty object
// changes nothing. With `{release: true}`, mails in the mode `late` are accepted. Each isolate has its own mailbox.
import Service from "./entry.js";

// The other classes that wrangler.toml names.
export * from "./entry.js";

const mails = [];
let mode = "accept";
let calls = 0;
let early = 0;
let late = [];

const accept = (mail) => {
  mails.push(mail);
  return { messageId: `<${calls}@mailbox.example>` };
};
/** The message names the recipient, as some of the runtime's do. */
const failing = (code) => ({ to }) => {
  throw Object.assign(new Error(`email to ${to} not allowed: ${code}`), { code });
};
const never = () => new Promise(() => {});

/** The codes are those of Cloudflare's Email Service. */
const MODES = {
  accept,
  /** A failure that may pass. */
  again: failing("E_INTERNAL_SERVER_ERROR"),
  limited: failing("E_DAILY_LIMIT_EXCEEDED"),
  /** This recipient gets no mail. */
  never: failing("E_RECIPIENT_SUPPRESSED"),
  misconfigured: failing("E_SENDER_NOT_VERIFIED"),
  /** An exception of another kind, without a code. */
  broken: () => {
    throw new Error("Network connection lost.");
  },
  /** No answer, and no mail. */
  hang: never,
  /** The mail is accepted, and the answer is lost. */
  silent: (mail) => {
    accept(mail);
    return never();
  },
  /** The mail is accepted when the test releases it. */
  late: (mail) => new Promise((resolve) => late.push(() => resolve(accept(mail)))),
};

/** The binding of an event. */
const mailbox = (event) => ({
  async send(mail) {
    calls += 1;
    early += event.isAnswered === false;
    return MODES[mode](mail);
  },
});

async function control(request) {
  if (request.method !== "POST") {
    return Response.json(mails);
  }
  const { mode: chosen = mode, release } = await request.json();
  if (!Object.hasOwn(MODES, chosen)) {
    return Response.json({ error: `no mode: ${chosen}` }, { status: 422 });
  }
  mode = chosen;
  if (release) {
    late.forEach((deliver) => deliver());
    late = [];
  }
  return Response.json({ calls, early });
}

export default class extends Service {
  fetch(request) {
    if (new URL(request.url).pathname === "/__mails") {
      return control(request);
    }
    const event = { isAnswered: false };
    this.env = { ...this.env, EMAIL: mailbox(event) };
    const answer = super.fetch(request);
    Promise.resolve(answer).finally(() => (event.isAnswered = true)).catch(() => {});
    return answer;
  }

  scheduled(controller) {
    this.env = { ...this.env, EMAIL: mailbox({}) };
    return super.scheduled(controller);
  }
}
