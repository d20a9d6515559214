// Buttons that lead to the other providers of the deployment. Their names come from its settings, and are texts.
//
//   const providers = createProviders({ id, redraw, providers: settings.providers, label: texts.continueWith });
//   html`${providers.view()}`
//
// Further options are those of `goToProvider`: `purpose`, `back`, `ask`.
import { html } from "lit-html";

import { commonTexts as texts } from "../texts.js";
import { duration } from "./failures.js";
import { goToProvider } from "./federation.js";
import { createTask } from "./form.js";
import { actButton } from "./ui.js";

/** The provider's name for people: that of the settings, or its id if it is configured no more. */
export const nameOf = ({ providers = [] }, id) => providers.find((provider) => provider.id === id)?.name ?? id;

/** @param {{id: string, redraw: Function, providers?: object[], label: Function, kind?: string}} options `label(name)` is a text */
export function createProviders({ id, redraw, providers = [], label, kind = "second wide", ...rest }) {
  const going = createTask({
    id,
    redraw,
    wait: ({ name }) => texts.goingTo(name),
    send: (provider) => goToProvider({ ...rest, provider: provider.id }),
    refusals: {
      404: texts.providerGone,
      422: texts.wrongAddress,
      503: ({ seconds }, { name }) => texts.providerDown(name, duration(seconds)),
    },
  });

  const button = (provider) =>
    actButton({ label: label(provider.name), kind, isBusy: going.isBusy, act: () => going.run(provider) });

  const buttons = () => providers.map(button);
  const view = () => html`${going.result()} ${buttons()}`;
  return { view, buttons, result: going.result, isAny: providers.length > 0 };
}

/** A line between two ways. */
export const divider = () => html`<p class="divider">${texts.or}</p>`;
