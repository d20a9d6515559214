// The page of a mailed link that sets a new password. The service refuses such a link only if it was used, has expired
// or is damaged: there is no second try with it.
import { start } from "./link.js";

start({
  name: "edge-auth reset",
  asks: "auth/password/forgot",
  acts: "auth/password/reset",
  isSpentWhenRefused: true,
});
