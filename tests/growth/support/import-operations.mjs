// Imports of one batch, whose cost must not depend on the number of users.
import { send } from "../../e2e/support/client.mjs";

/** Lines of a batch. */
export const LINES = 50;

/** An import of users with these addresses. */
export const imports = (address) => (service, { access }) => {
  const line = (_, number) => JSON.stringify({ email: address(number), full_name: "Imported" });
  const body = Array.from({ length: LINES }, line).join("\n");
  const headers = { Authorization: `Bearer ${access}`, "Content-Type": "application/x-ndjson" };
  return send(service, "/admin/users/import", { method: "POST", headers, body });
};
