// The service with a mailbox in place of its sender (wrappers/mailbox.mjs), and the links and codes of its mails.
import assert from "node:assert/strict";

import { newIp, post, send } from "./client.mjs";
import { rows } from "./database.mjs";
import { until } from "./faults.mjs";

export const MAILBOX = "tests/e2e/wrappers/mailbox.mjs";
const EVERY_MINUTE = "* * * * *";

/** Mails name this address; the service of a test answers at another one. */
export const PUBLIC_URL = "https://auth.example.com";
export const FROM = { name: "University login", email: "login@example.com" };
export const MAIL_SETTINGS = { MAIL: "binding", MAIL_FROM: `${FROM.name} <${FROM.email}>`, PUBLIC_URL };

/** Options of `startService`. Below a base path, `PUBLIC_URL` has that path. */
export function withMailbox({ settings = {}, ...options } = {}) {
  const publicUrl = PUBLIC_URL + (settings.BASE_PATH ?? "");
  const all = { ...MAIL_SETTINGS, PUBLIC_URL: publicUrl, ...settings };
  return { wrapper: MAILBOX, settings: all, ...options };
}

/** The accepted mails so far. */
export async function mails(service) {
  const { status, text } = await send(service, "/__mails");
  assert.equal(status, 200, text);
  return JSON.parse(text);
}

/** Chooses the fate of the mails to come, and perhaps releases late ones; returns the number of the binding's calls so far. */
export async function setMailbox(service, mode, release) {
  const { status, text } = await post(service, "/__mails", { mode, release });
  assert.equal(status, 200, text);
  return JSON.parse(text).calls;
}

/**
 * The newest mail to an address with a link to `page`, once there are `count` of them: `{token, path, code, mail}`.
 * `path` is the link without the host. Mails are sent behind the response.
 */
export async function mailedLink(service, email, page, count = 1) {
  const link = new RegExp(`${PUBLIC_URL}(\\S*/${page}#token=([\\w.%-]+))`);
  const isMeant = ({ to, text }) => to === email && link.test(text);
  const found = await until(`mail ${count} to ${email}`, async () => {
    const meant = (await mails(service)).filter(isMeant);
    return meant.length >= count && meant;
  });
  const mail = found.at(-1);
  const [, path, token] = mail.text.match(link);
  const code = mail.text.replace(/https?:\S+/g, "").match(/\b\d{4}[ -]?\d{4}\b/)?.[0];
  return { token, path, code, mail };
}

/** Asks for a new password, from a network of its own: an address gets one mail a minute from the same network. */
export const forgot = (service, email) => post(service, "/auth/password/forgot", { email }, { "CF-Connecting-IP": newIp() });
export const reset = (service, proof, headers) => post(service, "/auth/password/reset", proof, headers);
export const verify = (service, proof, headers) => post(service, "/auth/email/verify", proof, headers);

/** The mails that no provider has accepted or refused yet, oldest first. */
export const outbox = ({ db }) => rows(db, "SELECT * FROM mails ORDER BY created_at, id");

/** Waits until the fate of every mail is noted, apart from notices that wait for the end of the day. */
export const untilSettled = (service) =>
  until("the outbox is empty", async () => (await outbox(service)).every(({ attempts }) => attempts === 0));

/** One run of the Cron Trigger that sends mails, for which each mail is due. */
export async function sendMails(service) {
  await rows(service.db, "UPDATE mails SET due_at = 0");
  await everyMinute(service);
}

/** One run of the Cron Trigger of every minute. */
export async function everyMinute(service) {
  const worker = await service.miniflare.getWorker();
  const { outcome } = await worker.scheduled({ cron: EVERY_MINUTE });
  assert.equal(outcome, "ok");
}
