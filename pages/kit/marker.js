// The memory that the browser has of a session besides the cookie: that a sign-in took place, and nothing about it. Without the
// marker a refresh at the load of a page would mostly be pointless. Storage may be blocked: then each page tries it.
import { BASE } from "./transport.js";

const MARKER = `edge-auth signed-in ${BASE}`;

/** Has this browser a session, as far as it is known? */
export function isMarked() {
  try {
    return localStorage.getItem(MARKER) !== null;
  } catch {
    return true;
  }
}

export function mark(isSignedIn) {
  try {
    if (isSignedIn) {
      localStorage.setItem(MARKER, "1");
    } else {
      localStorage.removeItem(MARKER);
    }
  } catch {
    // The answer of the refresh says the same.
  }
}
