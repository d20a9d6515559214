// Texts that attack the pages that show them, in every place where people or programs choose a text. They go directly into the
// database, because the service refuses some of them today, and has not always done so.
import assert from "node:assert/strict";

import { rows } from "../../e2e/support/database.mjs";
import { assertFits } from "./browser.mjs";
import { DESKTOP, PHONE } from "./mailed.mjs";

export const HOSTILE = [
  '<img src=x onerror="window.pwned=1">',
  "</title></textarea></script><script>window.pwned=1</script>",
  '" onfocus="window.pwned=1" autofocus style="position:fixed;inset:0" x=\'',
  "${window.pwned=1} {{window.pwned=1}} #{1} <%= 1 %> <!--?lit$1$--> {{constructor.constructor('window.pwned=1')()}}",
  "javascript:window.pwned=1",
  "\u202egpj.exe\u2066 \u0645\u0631\u062d\u0628\u0627 (Administrator) \u202d",
  `a${"\u0301\u0327".repeat(99)}b`,
  "W".repeat(200),
  "\u{1F468}\u200d\u{1F469}\u200d\u{1F467} ".repeat(20).trim(),
];

/** Runs a statement with the keys and values of the texts, `?2` as the id of the user, `?3` as now and `?4` as a later time. */
const inserter = ({ db }, userId) => (sql) =>
  rows(db, `${sql} FROM json_each(?1)`, JSON.stringify(HOSTILE), userId, Date.now(), Date.now() + 9e8);

/** Puts each text into each place that the pages of this user show, but for the names of passkeys. */
export async function plant(service, userId) {
  const insert = inserter(service, userId);
  await insert(`
    INSERT INTO users (email, full_name, password_hash, created_at)
    SELECT CASE key WHEN 0 THEN value ELSE 'hostile-' || key END || '@mail.example', value, '', ?3 + 0 * ?2 * ?4`);
  await insert(`
    INSERT INTO sessions (id, user_id, created_at, expires_at, last_used_at, ip, user_agent, refresh_id, refresh_expires_at)
    SELECT 100 + key, ?2, ?3, ?4, ?3, '192.0.2.1', value, printf('%032x', key), ?4`);
  await insert("INSERT INTO universities (name, slug, created_at) SELECT value, 'hostile-' || key, ?3 + 0 * ?2 * ?4");
  await insert("INSERT INTO departments (university_id, name, created_at) SELECT key + 1, value, ?3 + 0 * ?2 * ?4");
  await insert(`
    INSERT INTO user_university_roles (user_id, university_id, department_id, role, created_at)
    SELECT ?2, key + 1, key + 1, 'DEPARTMENT_ADMIN', ?3 + 0 * ?4`);
  await insert(`
    INSERT INTO invitations (id, university_id, email, role, invited_by, created_at, expires_at, sent_at, nonce)
    SELECT key + 1, key + 1, value || '@mail.example', 'STUDENT', ?2, ?3, ?4, ?3, key`);
  await insert(`
    INSERT INTO service_accounts (id, client_id, name, scopes, is_active, created_at, updated_at)
    SELECT key + 1, 'sa_' || key, value, '["introspect"]', 1, ?3, ?3 + 0 * ?2 * ?4`);
  const keys = "INSERT INTO api_keys (id, user_id, service_account_id, name, permissions, secret_hash, created_at, expires_at) SELECT";
  await insert(`${keys} 100 + key, ?2, NULL, value, '["course.read"]', printf('%064x', key), ?3, ?4`);
  await insert(`${keys} 200 + key, NULL, key + 1, value, NULL, printf('%064x', 100 + key), ?3, ?4 + 0 * ?2`);
  await insert(`
    INSERT INTO audit_events (id, created_at, type, reason, user_id, ip, user_agent, request_id)
    SELECT (?3 - 1735689600000) * 4096 + key, ?3, 'signed_in', value, ?2, '192.0.2.1', value, value || ?4`);
}

/** The same for names of passkeys. Only after the sign-in of the user, which would ask for one of them. */
export async function plantPasskeys(service, userId) {
  await inserter(service, userId)(`
    INSERT INTO passkeys
      (id, user_id, credential_id, name, algorithm, public_key, sign_count, transports, is_backup_eligible, is_backed_up, created_at)
    SELECT key + 1, ?2, 'hostile' || key, value, 'EdDSA', '', 0, '[]', 0, 0, ?3 + 0 * ?4`);
}

/** Fails if a text has been anything but a text, or if the page does not fit a phone or a desktop. Keeps screenshots. */
export async function assertInert(page, label, shot) {
  const found = await page.evaluate(() => [
    window.pwned,
    document.querySelectorAll("img[src=x], body script, [onfocus], [onerror], [style*=fixed], a[href^=javascript]").length,
  ]);
  assert.deepEqual(found, [undefined, 0], label);
  for (const { viewport } of [PHONE, DESKTOP]) {
    await page.setViewportSize(viewport);
    await assertFits(page).catch((error) => assert.fail(`${label}, ${viewport.width} px: ${error.message}`));
    await (shot && page.screenshot({ path: `${shot}-${viewport.width}.png`, fullPage: true }));
  }
}
