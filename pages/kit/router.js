// Views by the fragment of the URL: `#/sessions`, `#/universities/12`. Nothing personal belongs there.
//
//   const router = createRouter({ host, onOpen });
//   router.use({ overview, sessions }, context);  // the first one is the default; opens the view of the fragment
//   router.go("sessions");
//
// A view is `{ title, open(host, context, ...rest) }`; `open` renders into `host` (which is the view's own), starts with
// `heading(title)`, and may return a function that is called when the view is left. `rest` are the further parts of the fragment.
import { closeDialogs } from "./dialog.js";

const partsOf = (hash) => hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function createRouter({ host, onOpen }) {
  let views;
  let context;
  let close;

  /** Opens the view of the fragment, or the first one. */
  function open({ isFirst = false } = {}) {
    const [name, ...rest] = partsOf(location.hash);
    const isKnown = Object.hasOwn(views, name ?? "");
    const id = isKnown ? name : Object.keys(views)[0];
    close?.();
    // A late answer of the view before renders into an element that is gone.
    const own = document.createElement("div");
    own.className = "view";
    host.replaceChildren(own);
    close = views[id].open(own, context, ...(isKnown ? rest : []));
    onOpen(id, views[id]);
    if (!isFirst) {
      scrollTo(0, 0);
      own.querySelector("h1")?.focus();
    }
  }

  /** Chooses other views, for example after the sign-in. */
  function use(others, other, { isFirst = false } = {}) {
    views = others;
    context = other;
    open({ isFirst });
  }

  /** Opens a view by its name and the further parts of its fragment. */
  function go(...parts) {
    const hash = `#/${parts.map(encodeURIComponent).join("/")}`;
    if (location.hash === hash) {
      open();
    } else {
      location.hash = hash;
    }
  }

  /** Forgets the fragment: the next views begin with the first one. */
  function restart() {
    history.replaceState(null, "", location.pathname + location.search);
  }

  addEventListener("hashchange", () => {
    closeDialogs();
    if (views !== undefined) {
      open();
    }
  });
  return { use, go, restart, open };
}
