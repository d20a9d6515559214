// Imports of one batch, whose cost must not depend on the number of users. They come last: fifty events of one type are much to
// skip for a page of another one.
import { send } from "../../e2e/support/client.mjs";

/** Lines of a batch. */
const LINES = 50;

let made = 0;
const unknown = () => `imported-${(made += 1)}@example.com`;

/** An import of users with these addresses. */
const imports = (address) => (service, { access }) => {
  const line = (_, number) => JSON.stringify({ email: address(number), full_name: "Imported" });
  const body = Array.from({ length: LINES }, line).join("\n");
  const headers = { Authorization: `Bearer ${access}`, "Content-Type": "application/x-ndjson" };
  return send(service, "/admin/users/import", { method: "POST", headers, body });
};

/** `known` are addresses of users. */
export const ofImports = ({ operation, known }) => [
  operation("adminImportUsers", "boss", imports(unknown), { trips: 3, reads: 20 * LINES }),
  operation("adminImportUsers", "boss", imports(known), { kind: "known", trips: 2, reads: 7 * LINES }),
];
