// The page of a mailed link that proves an address. A refusal may also mean a wrong password, so the link is kept.
import { start } from "./link.js";

start({
  name: "edge-auth verify",
  asks: "auth/email/verification",
  acts: "auth/email/verify",
  isSpentWhenRefused: false,
});
