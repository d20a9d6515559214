// Bars per hour, as SVG without any file or style attribute. Two charts with a scale each: a flood of refusals must not
// flatten the sign-ins. The numbers stand in a table as well, for screen readers and for reading off.
import { html, svg } from "lit-html";

const WIDTH = 720;
const HEIGHT = 120;
const AXIS = 20;
const GAP = 4;

const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
/** "14:00", in the time zone of the browser. */
export const hourText = (time) => clock.format(time);

/** The top of the scale: 1, 2 or 5 times a power of ten. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= value);
}

function bar(value, index, { top, count }) {
  const step = WIDTH / count;
  // A bar of one among thousands must be seen, too.
  const height = value === 0 ? 0 : Math.max((value / top) * HEIGHT, 2);
  return svg`<rect class="bar" x=${index * step + GAP / 2} y=${AXIS + HEIGHT - height}
    width=${step - GAP} height=${height} rx="2"></rect>`;
}

function label(start, index, count) {
  const isShown = index % 6 === 0;
  return isShown
    ? svg`<text class="tick" x=${(index + 0.5) * (WIDTH / count)} y=${AXIS + HEIGHT + AXIS - 4}
        text-anchor=${index === 0 ? "start" : "middle"}>${hourText(start)}</text>`
    : "";
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
  const scale = { top, count: bars.length };
  return html`<figure class="chart" data-kind=${kind}>
    <figcaption>${title}</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT + 2 * AXIS}" role="img" aria-label=${summary}>
      <line class="rule" x1="0" x2=${WIDTH} y1=${AXIS} y2=${AXIS}></line>
      <line class="rule" x1="0" x2=${WIDTH} y1=${AXIS + HEIGHT} y2=${AXIS + HEIGHT}></line>
      <text class="tick" x="0" y=${AXIS - 5}>${top}</text>
      ${bars.map(({ value }, index) => bar(value, index, scale))}
      ${bars.map(({ start }, index) => label(start, index, bars.length))}
    </svg>
  </figure>`;
}
