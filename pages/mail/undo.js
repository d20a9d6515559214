// The page of the mailed link that undoes a change of address. It asks for nothing but a click.
import { start } from "./link.js";

start({ name: "edge-auth undo", acts: "auth/email/undo", isSpentWhenRefused: true });
