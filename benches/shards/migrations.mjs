// The migrations of the project, each as a list of statements, in order.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { unstable_splitSqlQuery } from "wrangler";

const FOLDER = resolve(import.meta.dirname, "../../migrations");

export function migrations() {
  const names = readdirSync(FOLDER).sort();
  return names.map((name) => unstable_splitSqlQuery(readFileSync(join(FOLDER, name), "utf8")));
}
