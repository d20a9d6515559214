// The colour of the deployment (`PAGES_ACCENT`). Any colour is accepted, so it is mixed with white or black until texts in it, and
// on it, can be read in both themes (WCAG 2.2 §1.4.3).

const CONTRAST = 4.6;
const STEP = 0.05;
/** The backgrounds of texts in kit.css that are hardest to read on. */
const THEMES = { light: { behind: [240, 242, 245], toward: 0 }, dark: { behind: [38, 43, 49], toward: 255 } };

/** @param {string|null} accent "#3355ff"; without one, or with another notation, the style sheet's own colour stays */
export function applyAccent(accent) {
  if (!/^#[0-9a-f]{6}$/i.test(accent ?? "")) {
    return;
  }
  const color = [1, 3, 5].map((start) => parseInt(accent.slice(start, start + 2), 16));
  for (const [theme, { behind, toward }] of Object.entries(THEMES)) {
    const readable = adjusted(color, behind, toward);
    const { style } = document.documentElement;
    style.setProperty(`--accent-${theme}`, textOf(readable));
    style.setProperty(`--on-accent-${theme}`, contrast(readable, [255, 255, 255]) >= CONTRAST ? "#ffffff" : "#111417");
  }
}

function adjusted(color, behind, toward) {
  let mixed = color;
  for (let share = STEP; contrast(mixed, behind) < CONTRAST && share <= 1; share += STEP) {
    mixed = color.map((channel) => Math.round(channel + (toward - channel) * share));
  }
  return mixed;
}

const textOf = (color) => `rgb(${color.join(" ")})`;

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance(color) {
  const [r, g, b] = color.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
