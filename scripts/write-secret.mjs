// Writes a random SECRET_KEY into a new file: `node scripts/write-secret.mjs .dev.vars`. It never overwrites a file.
// The random bytes come from Node, because command line tools for them differ between systems.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";

writeFileSync(process.argv[2], `SECRET_KEY=${randomBytes(48).toString("base64url")}\n`, { flag: "wx", mode: 0o600 });
