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

  const item = (session) => html`
    <li class="list-item">
      <div class="item-main">
        <span class="item-title">${deviceOf(session.user_agent) ?? commonTexts.unknownDevice}
          ${session.current ? badge("good", texts.current) : nothing}</span>
        <span class="small">${texts.signedIn} ${moment(session.created_at)} · ${texts.lastUsed} ${moment(session.last_used_at)}</span>
        <span class="small">${session.ip ? texts.from(session.ip) : nothing} ${texts.until} ${moment(session.expires_at)}</span>
        ${session.user_agent
          ? html`<details class="small"><summary>${texts.userAgent}</summary><p class="mono">${session.user_agent}</p></details>`
          : nothing}
      </div>
      <div class="item-side">
        <button type="button" class="second" aria-label=${session.current ? nothing : texts.endOf(deviceOf(session.user_agent) ?? commonTexts.unknownDevice)}
          @click=${() => ending.run(session)}>${session.current ? commonTexts.signOut : texts.end}</button>
      </div>
    </li>
  `;

  const draw = () => render(html`
    ${heading(texts.title)}
    <section class="card" aria-label=${texts.title}>
      <p class="quiet">${texts.hint}</p>
      ${ending.result()}
      ${sessions.view(({ sessions: list }) => html`<ul class="list">${list.map(item)}</ul>`)}
      ${endingAll.result()}
      <div class="actions"><button type="button" class="danger second" @click=${endAll}>${texts.endAll}</button></div>
    </section>
  `, host);

  draw();
  sessions.load();
}
