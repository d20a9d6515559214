// Bars per hour, as SVG without any file or style attribute. Each chart has a scale of its own: a flood of refusals must not
// flatten the sign-ins. The numbers stand in a table as well, for screen readers and for reading off.
import { html, svg } from "lit-html";

/** Units of the drawing: it is stretched to its place. */
const STEP = 10;
const GAP = 2;
const HEIGHT = 100;

const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
/** "14:00", in the time zone of the browser. */
export const hourText = (time) => clock.format(time);

/** The top of the scale: 1, 2 or 5 times a power of ten. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= value);
}

function bar(value, index, top) {
  // A bar of one among thousands must be seen, too.
  const height = value === 0 ? 0 : Math.max((value / top) * HEIGHT, 2);
  return svg`<rect class="bar" x=${index * STEP + GAP / 2} y=${HEIGHT - height} width=${STEP - GAP} height=${height}></rect>`;
}

/**
 * @param {object} chart
 * @param {string} chart.title heading of the chart
 * @param {string} chart.summary the text in place of the picture
 * @param {"good"|"bad"} chart.kind chooses the colour
 * @param {Array<{start: Date, value: number}>} chart.bars oldest first
 */
export function barChart({ title, summary, kind, bars }) {
  const top = roundUp(Math.max(...bars.map(({ value }) => value)));
  const hours = bars.filter((_, index) => index % 6 === 0 || index === bars.length - 1);
  return html`<figure class="chart" data-kind=${kind}>
    <figcaption>${title}</figcaption>
    <div class="scale" aria-hidden="true">${top}</div>
    <svg viewBox="0 0 ${STEP * bars.length} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${summary}>
      ${bars.map(({ value }, index) => bar(value, index, top))}
    </svg>
    <div class="hours" aria-hidden="true">${hours.map(({ start }) => html`<span>${hourText(start)}</span>`)}</div>
  </figure>`;
}
