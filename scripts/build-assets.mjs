// Builds the static files of the deployment: the API description as YAML and as JSON, and the pages that show it, with
// Swagger UI and ReDoc from their npm packages. Neither the build nor the pages load anything from other servers.
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { withoutCampus } from "./without-campus.mjs";

rmSync("public", { recursive: true, force: true });
mkdirSync("public");
cpSync("pages", "public", { recursive: true });
for (const name of ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"]) {
  copyFileSync(`node_modules/swagger-ui-dist/${name}`, `public/docs/${name}`);
}

// ReDoc's link to its vendor loads a logo from the vendor's server. The link stays, but the logo is removed.
const redoc = readFileSync("node_modules/redoc/bundles/redoc.standalone.js", "utf8");
const parts = redoc.split("https://cdn.redoc.ly/redoc/logo-mini.svg");
if (parts.length !== 2) {
  throw new Error("The URL of ReDoc's logo was not found once: check which external files the bundle loads");
}
const empty = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E";
writeFileSync("public/redoc/redoc.standalone.js", parts.join(empty));

// CAMPUS=off belongs to a Worker that is built with `--no-default-features`.
// The source has more references to anchors than some readers allow; the built file has none.
const source = parse(readFileSync("openapi.yaml", "utf8"), { maxAliasCount: -1 });
const description = process.env.CAMPUS === "off" ? withoutCampus(source) : source;
const yaml = stringify(description, { lineWidth: 0, aliasDuplicateObjects: false, version: "1.1" });
writeFileSync("public/openapi.yaml", yaml);
writeFileSync("public/openapi.json", JSON.stringify(description));

// The digests from which the service makes entity tags (`http/platform/etag.rs`).
const files = readdirSync("public", { recursive: true }).filter((name) => statSync(`public/${name}`).isFile());
const digest = (name) => createHash("sha256").update(readFileSync(`public/${name}`)).digest("hex").slice(0, 32);
writeFileSync("public/digests.txt", files.sort().map((name) => `${digest(name)} /${name}\n`).join(""));
