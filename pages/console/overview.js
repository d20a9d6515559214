// The state of the service, live, and the sign-ins and refusals of the last day.
import { html, render } from "lit-html";

import { card, heading } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { createReadiness } from "./readiness.js";
import { createTraffic } from "./traffic-view.js";

const texts = consoleTexts.overview;

export function openOverview(host) {
  const readiness = createReadiness({ redraw: draw });
  const traffic = createTraffic({ redraw: draw });

  function draw() {
    render(html`
      ${heading(texts.title)}
      ${card({ id: "readiness", title: texts.readiness, body: readiness.view() })}
      ${card({ id: "traffic", title: texts.traffic, body: traffic.view() })}
    `, host);
  }

  draw();
  traffic.load();
  return readiness.start();
}
