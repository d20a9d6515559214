// Shared by the tests of the pages behind mailed links: devices, and questions about a page.
import assert from "node:assert/strict";

import { assertFits, requestsOf, SHOTS } from "./browser.mjs";
import { assertReadable } from "./contrast.mjs";

export const PHONE = { viewport: { width: 360, height: 740 } };
export const DESKTOP = { viewport: { width: 1280, height: 800 } };

/** The line that Chromium writes to its console about each response of this status. */
export const refusals = (...statuses) => new RegExp(`^console: Failed to load resource: .*status of (${statuses.join("|")}) `);
export const resultOf = (page, kind) => page.locator(`#result[data-kind=${kind}]`);
export const focused = (page) => page.evaluate(() => document.activeElement.id);
export const button = (page, name) => page.getByRole("button", { name });

/** The paths to which a page has posted so far; it has only read others. */
export function postsOf(page) {
  const posts = requestsOf(page).filter(({ method }) => method !== "GET");
  assert.ok(posts.every(({ method }) => method === "POST"));
  return posts.map(({ path }) => path);
}

/** Fails if the page does not fit a phone or a desktop, or cannot be read, light or dark. Keeps a screenshot of each. */
export async function assertFitsEverywhere(page, name) {
  for (const { viewport } of [PHONE, DESKTOP]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await assertFits(page);
      await assertReadable(page);
      await page.screenshot({ path: `${SHOTS}/mail-${name}-${viewport.width}-${colorScheme}.png`, fullPage: true });
    }
  }
}
