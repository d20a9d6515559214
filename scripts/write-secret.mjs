// Writes a random SECRET_KEY into a new file: `node scripts/write-secret.mjs .dev.vars`. A file that is there already is
// never touched. The random bytes are Node's own: the command line tools for them differ from system to system.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";

writeFileSync(process.argv[2], `SECRET_KEY=${randomBytes(48).toString("base64url")}\n`, { flag: "wx", mode: 0o600 });
