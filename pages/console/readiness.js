// The readiness of the service, asked for again and again while the tab is visible. The question takes no session, so that the
// answer comes also while no session can be renewed.
import { html, nothing } from "lit-html";

import { failureTexts } from "../kit/failures.js";
import { loading } from "../kit/source.js";
import { exchange } from "../kit/transport.js";
import { badge } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";
import { facts } from "./parts.js";

const texts = consoleTexts.readiness;
const PAUSE_MS = 5000;
/** Keeps the place of a line. */
const NO_BREAK_SPACE = "\u00a0";
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "medium" });

const GOOD = ["ready", "ok", "closed"];
const WARN = ["not_asked", "low", "half_open"];
const kindOf = (state) => (GOOD.includes(state) ? "good" : WARN.includes(state) ? "warn" : "bad");
const stateOf = (state) => badge(kindOf(state), texts.states[state] ?? state);

export function createReadiness({ redraw }) {
  let answer;
  let checkedAt;
  let timer;
  let isOver = false;

  async function look() {
    clearTimeout(timer);
    const given = await exchange("GET", "health/ready");
    if (isOver) {
      return;
    }
    answer = given;
    checkedAt = new Date();
    redraw();
    plan();
  }

  /** A hidden tab does not ask. Its return does at once. */
  function plan() {
    clearTimeout(timer);
    if (document.visibilityState === "visible") {
      timer = setTimeout(look, PAUSE_MS);
    }
  }

  const onVisibility = () => (document.visibilityState === "visible" ? look() : clearTimeout(timer));

  /** Returns the function that ends it. */
  function start() {
    document.addEventListener("visibilitychange", onVisibility);
    look();
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisibility);
    };
  }

  const view = () => html`
    <div class="readiness" role="status">${answer === undefined ? loading() : bodyOf(answer)}</div>
    <p class="small">${checkedAt ? texts.checked(clock.format(checkedAt)) : NO_BREAK_SPACE}</p>
  `;

  return { start, view };
}

function bodyOf(answer) {
  const { checks, status } = answer.body;
  if (checks === undefined) {
    return html`<p>${badge("bad", texts.unknown)} ${failureTexts(answer).join(" ")}</p>`;
  }
  const { database, storage, circuit_breaker: breaker } = checks;
  return html`
    <p class="overall">${stateOf(status)} ${texts.summaries[status]}</p>
    ${facts([
      [texts.database, stateOf(database)],
      [texts.storage, stateOf(storage.state)],
      [texts.breaker, html`${stateOf(breaker.state)}
        ${breaker.forced ? html`<span class="quiet">${texts.forced}</span>` : nothing}
        ${breaker.shared ? nothing : html`<span class="quiet">${texts.alone}</span>`}`],
    ])}
  `;
}
