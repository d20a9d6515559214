// The page of the link in a security notice, for an act that was not the owner's. It asks for nothing but a click.
import { start } from "./link.js";

start({ name: "edge-auth not-me", acts: "auth/email/not-me", isSpentWhenRefused: true });
