// The contrast of the texts of a page to the colours behind them.
import assert from "node:assert/strict";

/** WCAG 2.2 §1.4.3, level AA. */
const CONTRAST = 4.5;

/** Fails if a visible text has too little contrast. */
export async function assertReadable(page) {
  const { ratio, text } = await lowestContrast(page);
  assert.ok(ratio >= CONTRAST, `${ratio.toFixed(2)}: ${text}`);
}

/** The lowest contrast of a visible text to the colour behind it, and that text. */
function lowestContrast(page) {
  return page.evaluate(() => {
    const channels = (color) => color.match(/[\d.]+/g).map(Number);
    const linear = (channel) => (channel <= 10.31 ? channel / 3294.6 : ((channel / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const isPainted = (color) => (channels(color)[3] ?? 1) > 0;
    const behind = (element) => {
      const { backgroundColor } = getComputedStyle(element);
      return isPainted(backgroundColor) ? backgroundColor : behind(element.parentElement);
    };
    const contrast = (element) => {
      const lights = [getComputedStyle(element).color, behind(element)].map((color) => luminance(channels(color)));
      return (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
    const shown = [...document.querySelectorAll("main *")].filter((element) => {
      return element.checkVisibility() && !element.disabled && (hasText(element) || element.matches("input"));
    });
    const all = shown.map((element) => ({ ratio: contrast(element), text: element.textContent || element.id }));
    return all.toSorted((one, other) => one.ratio - other.ratio)[0];
  });
}
