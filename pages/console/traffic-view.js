// The charts of sign-ins and refusals, with their numbers in a table.
import { html, nothing } from "lit-html";

import { request } from "../kit/api.js";
import { failed, loading } from "../kit/source.js";
import { actButton, notice } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { barChart, hourText } from "./chart.js";
import { lowestHour, perHour, readEvents } from "./traffic.js";

const texts = consoleTexts.traffic;

export function createTraffic({ redraw }) {
  let read;
  let readAt;
  let isBusy = false;

  async function load() {
    isBusy = true;
    redraw();
    readAt = Date.now();
    read = await readEvents(request, readAt);
    isBusy = false;
    redraw();
  }

  const view = () => html`
    ${read === undefined ? loading() : read.failed ? failed(read.failed, load) : chartsOf(perHour(read.events, readAt), read)}
    ${read === undefined || read.failed
      ? nothing
      : html`<div class="actions">${actButton({ label: isBusy ? texts.reading : texts.again, isBusy, act: load })}</div>`}
  `;

  return { load, view };
}

const sum = (hours, name) => hours.reduce((total, hour) => total + hour[name], 0);

const chartOf = (hours, name, kind, words) => {
  const bars = hours.map(({ start, [name]: value }) => ({ start, value }));
  const title = words.title(sum(hours, name));
  const { start, value } = bars.reduce((most, bar) => (bar.value > most.value ? bar : most));
  return barChart({ title, summary: value === 0 ? title : `${title} ${texts.most(value, hourText(start))}`, kind, bars });
};

const chartsOf = (hours, { events, isComplete }) => html`
  ${isComplete ? nothing : notice({ kind: "note", texts: [texts.incomplete(hourText(lowestHour(events)))] })}
  <div class="charts">
    ${chartOf(hours, "signIns", "good", texts.signIns)} ${chartOf(hours, "refusals", "bad", texts.refusals)}
  </div>
  <details>
    <summary>${texts.asTable}</summary>
    <table>
      <caption class="visually-hidden">${texts.caption}</caption>
      <thead>
        <tr>${[texts.hour, texts.signInsColumn, texts.refusalsColumn].map((name) => html`<th scope="col">${name}</th>`)}</tr>
      </thead>
      <tbody>
        ${hours.map(({ start, signIns, refusals }) => html`<tr>
          <th scope="row">${hourText(start)}</th><td>${signIns}</td><td>${refusals}</td>
        </tr>`)}
      </tbody>
    </table>
  </details>
`;
