// The return from another provider that has confirmed that it is you. The fresh token lives in this page alone, so a step-up that
// began here ends here; all other visits of a provider end at /account.
import { request } from "../kit/api.js";
import { ownFailure } from "../kit/failures.js";
import { EXCHANGE, isUnused, takeReturn } from "../kit/federation.js";
import { nameOf } from "../kit/providers.js";
import { session } from "../kit/session.js";
import { consoleTexts } from "../texts.js";

const texts = consoleTexts.confirmation;

/** Takes the return at the load of the page. `settle(context)` is for the signed-in user: undefined, or the answer of a failure. */
export function createReturn() {
  let returned = takeReturn();
  if (returned !== undefined) {
    const [, view = "/"] = (returned.back ?? "").split("#");
    history.replaceState(null, "", `#${view}`);
  }

  async function settle(context) {
    // Without a flow, another tab or a stranger has begun it: its code stays unused.
    if (returned?.purpose !== "step-up") {
      return undefined;
    }
    const { flow, code, provider } = returned;
    const answer = code === undefined ? undefined : await request("POST", EXCHANGE, { body: { flow, code } });
    if (answer !== undefined && isUnused(answer)) {
      return answer;
    }
    returned = undefined;
    if (answer?.status !== 200) {
      return ownFailure(texts.refused(nameOf(context.settings, provider)));
    }
    session.confirm(answer.body);
    context.news = texts.done;
    return undefined;
  }

  return settle;
}
