// The view of the user's sessions: which devices are signed in, and their end.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createTask } from "../kit/form.js";
import { createSource } from "../kit/source.js";
import { badge, heading, moment } from "../kit/ui.js";
import { deviceOf } from "../kit/user-agent.js";
import { accountTexts, commonTexts } from "../texts.js";

const texts = accountTexts.sessions;

export const sessionsView = { title: texts.title, open };

function open(host, context) {
  const redraw = () => draw();
  const sessions = createSource({ redraw, read: () => request("GET", "auth/sessions") });

  const ending = createTask({
    id: "end-session",
    redraw,
    wait: texts.ending,
    send: ({ id }) => request("DELETE", `auth/sessions/${id}`),
    done: async (_, session) => {
      if (session.current) {
        context.leave(commonTexts.signedOut);
        return [];
      }
      await sessions.load();
      return texts.ended;
    },
    refusals: { 404: texts.gone },
  });

  const endingAll = createTask({
    id: "end-all",
    redraw,
    wait: texts.endingAll,
    send: () => request("POST", "auth/logout-all"),
    done: ({ body }) => {
      context.leave(texts.endedAll(body.sessions_ended));
      return [];
    },
  });

  async function endAll() {
    if (await confirm({ title: texts.endAll, texts: [texts.endAllHint], action: texts.endAll })) {
      await endingAll.run();
    }
  }

  const draw = () => render(html`
    ${heading(texts.title)}
    <section class="card" aria-label=${texts.title}>
      <p class="quiet">${texts.hint}</p>
      ${ending.result()}
      ${sessions.view(({ sessions: list }) => html`<ul class="list">${list.map((session) => itemOf(session, ending.run))}</ul>`)}
      ${endingAll.result()}
      <div class="actions"><button type="button" class="danger second" @click=${endAll}>${texts.endAll}</button></div>
    </section>
  `, host);

  draw();
  sessions.load();
}

function itemOf(session, end) {
  const { current, ip, user_agent: userAgent, created_at: created, last_used_at: used, expires_at: expires } = session;
  const device = deviceOf(userAgent) ?? commonTexts.unknownDevice;
  return html`
    <li class="list-item">
      <div class="item-main">
        <span class="item-title">${device} ${current ? badge("good", texts.current) : nothing}</span>
        <span class="small">${texts.signedIn} ${moment(created)} · ${texts.lastUsed} ${moment(used)}</span>
        <span class="small">${ip ? texts.from(ip) : nothing} ${texts.until} ${moment(expires)}</span>
        ${userAgent
          ? html`<details class="small"><summary>${texts.userAgent}</summary><p class="mono">${userAgent}</p></details>`
          : nothing}
      </div>
      <div class="item-side">
        <button type="button" class="second" aria-label=${current ? nothing : texts.endOf(device)} @click=${() => end(session)}>
          ${current ? commonTexts.signOut : texts.end}
        </button>
      </div>
    </li>
  `;
}
