// Recovery codes: how many are left, new ones, and the dialog that shows them once.
import { html, nothing, render } from "lit-html";

import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createTask } from "../kit/form.js";
import { page } from "../kit/page.js";
import { openOnce } from "../kit/shown-once.js";
import { badge, copyButton, download, notice } from "../kit/ui.js";
import { accountTexts } from "../texts.js";

const texts = accountTexts.security.codes;
/** So few that it is time for new ones. */
const FEW = 3;

export function createRecoveryCodes({ redraw, reload }) {
  const replacing = createTask({
    id: "codes-replace",
    redraw,
    wait: texts.replacing,
    send: () => request("POST", "users/me/mfa/recovery-codes"),
    done: async ({ body }) => {
      await showRecoveryCodes(body.recovery_codes);
      await reload();
      return texts.replaced;
    },
    refusals: { CONFLICT: texts.noFactor },
  });

  async function replace() {
    if (await confirm({ title: texts.replace, texts: [texts.replaceHint], action: texts.replace })) {
      await replacing.run();
    }
  }

  const view = ({ recovery_codes_left: left }) => html`
    <p class="quiet">${texts.hint}</p>
    <p>${badge(left > FEW ? "good" : "warn", texts.left(left))}</p>
    ${replacing.result()}
    <div class="actions"><button type="button" class="second" @click=${replace}>${texts.replace}</button></div>
  `;
  return { view };
}

/** Shows the codes until the person says that they are kept. They are in no later answer. */
export function showRecoveryCodes(codes) {
  return openOnce({
    title: texts.showTitle,
    open: (host, close) => {
      const head = texts.fileHead(page.settings.app_name, page.user.email);
      const text = `${head}\n\n${codes.join("\n")}\n`;
      let isKept = false;
      const tick = ({ target }) => {
        isKept = target.checked;
        draw();
      };
      const draw = () => render(html`
        ${notice({ kind: "warn", texts: [texts.once] })}
        <div class="printed">
          <p class="quiet">${head}</p>
          <ol class="codes mono" tabindex="0" aria-label=${texts.title}>${codes.map((code) => html`<li>${code}</li>`)}</ol>
        </div>
        <div class="actions">
          ${copyButton(codes.join("\n"))}
          <button type="button" class="second" @click=${() => download("recovery-codes.txt", text, "text/plain")}>
            ${texts.download}
          </button>
          <button type="button" class="second" @click=${() => print()}>${texts.print}</button>
        </div>
        <label class="check"><input type="checkbox" @change=${tick} /><span>${texts.kept}</span></label>
        <div class="actions"><button type="button" class="wide" aria-disabled=${isKept ? nothing : "true"}
          @click=${() => isKept && close(true)}>${texts.close}</button></div>
      `, host);
      draw();
    },
  });
}
