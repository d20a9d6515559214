// axe-core in a page: WCAG 2.2 level A and AA, and the best practices that axe knows.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Fails if axe finds a violation on the page as it is. */
export async function assertAccessible(page) {
  // By the DevTools protocol, which the page's policy does not concern.
  await page.evaluate(`typeof axe === "undefined" && (() => { ${SOURCE} })()`);
  const violations = await page.evaluate(async (values) => {
    const { violations: found } = await axe.run(document, { runOnly: values, resultTypes: ["violations"] });
    return found.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
  }, TAGS);
  assert.deepEqual(violations, []);
}
