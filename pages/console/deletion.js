// The deletion of one thing, after its name was typed.
//
//   const deletion = createDeletion({ path, source, redraw, deleted, texts, words: (value) => ({ texts, typed, label }), refusals });
//   html`${deletion.result()} ${deletion.button()}`
import { request } from "../kit/api.js";
import { confirm } from "../kit/dialog.js";
import { createTask } from "../kit/form.js";
import { actButton } from "../kit/ui.js";
import { consoleTexts } from "../texts.js";

/** `source` holds the thing, `texts` its words; `words` are those of the question, for the present value. */
export function createDeletion({ path, source, redraw, deleted, texts, words, refusals }) {
  const task = createTask({
    id: "delete",
    redraw,
    wait: consoleTexts.removing,
    send: () => request("DELETE", path),
    done: () => {
      deleted(texts.deleted(source.value.name));
      return [];
    },
    refusals,
  });

  async function act() {
    if (await confirm({ title: texts.deleteTitle, action: texts.delete, ...words(source.value) })) {
      await task.run();
    }
  }

  const button = () => actButton({ label: texts.delete, kind: "danger", isBusy: task.isBusy, act });
  return { result: task.result, button };
}
