// Makes the static files of the deployment: the API description as it is, and the same as JSON.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";

const yaml = readFileSync("openapi.yaml", "utf8");
mkdirSync("public", { recursive: true });
writeFileSync("public/openapi.yaml", yaml);
writeFileSync("public/openapi.json", JSON.stringify(parse(yaml)));
