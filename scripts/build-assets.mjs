// Builds the static files of the deployment: the API description as YAML and as JSON, the pages that show it, with Swagger
// UI and ReDoc from their npm packages, the pages behind mailed links, and the pages for people. Neither the build nor the
// pages load anything from other servers.
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { buildSync } from "esbuild";
import { parse, stringify } from "yaml";
import { withoutCampus } from "./without-campus.mjs";

// The folder is replaced as a whole at the end: wrangler may watch it.
const BUILT = `node_modules/.cache/public-${process.pid}`;
rmSync(BUILT, { recursive: true, force: true });
mkdirSync(BUILT, { recursive: true });
for (const folder of ["docs", "mail", "redoc"]) {
  cpSync(`pages/${folder}`, `${BUILT}/${folder}`, { recursive: true });
}
const sha256 = (content) => createHash("sha256").update(content).digest("hex");

// The pages for people are modules in the source, and one script and one style sheet each in the deployment. pages/package.json
// says that no module acts by being imported, so that texts of another page are left out.
for (const page of ["account", "console"].filter((name) => existsSync(`pages/${name}/${name}.js`))) {
  bundlePage(page);
}

/** The digests in the references let browsers keep a file for a year: another content has another URL. */
function bundlePage(page) {
  buildSync({
    entryPoints: [`pages/${page}/${page}.js`, `pages/${page}/${page}.css`],
    outdir: `${BUILT}/${page}`,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome109", "firefox115", "safari16.4"],
    logLevel: "warning",
    define: { HAS_CAMPUS: String(process.env.CAMPUS !== "off") },
  });
  const html = readFileSync(`pages/${page}/index.html`, "utf8");
  const files = [`${page}/${page}.js`, `${page}/${page}.css`];
  const versioned = files.reduce((text, file) => {
    const pieces = text.split(`"${file}"`);
    if (pieces.length !== 2) {
      throw new Error(`pages/${page}/index.html must name ${file} once`);
    }
    return pieces.join(`"${file}?v=${sha256(readFileSync(`${BUILT}/${file}`)).slice(0, 16)}"`);
  }, html);
  writeFileSync(`${BUILT}/${page}/index.html`, versioned);
}

for (const name of ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"]) {
  copyFileSync(`node_modules/swagger-ui-dist/${name}`, `${BUILT}/docs/${name}`);
}

// ReDoc's link to its vendor loads a logo from the vendor's server. The link stays, but the logo is removed.
const redoc = readFileSync("node_modules/redoc/bundles/redoc.standalone.js", "utf8");
const parts = redoc.split("https://cdn.redoc.ly/redoc/logo-mini.svg");
if (parts.length !== 2) {
  throw new Error("The URL of ReDoc's logo was not found once: check which external files the bundle loads");
}
const empty = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E";
writeFileSync(`${BUILT}/redoc/redoc.standalone.js`, parts.join(empty));

// CAMPUS=off belongs to a Worker that is built with `--no-default-features`.
// The source has more references to anchors than some readers allow; the built file has none.
const source = parse(readFileSync("openapi.yaml", "utf8"), { maxAliasCount: -1 });
const description = process.env.CAMPUS === "off" ? withoutCampus(source) : source;
const yaml = stringify(description, { lineWidth: 0, aliasDuplicateObjects: false, version: "1.1" });
writeFileSync(`${BUILT}/openapi.yaml`, yaml);
writeFileSync(`${BUILT}/openapi.json`, JSON.stringify(description));

// The digests from which the service makes entity tags (`http/platform/etag.rs`).
const files = readdirSync(BUILT, { recursive: true }).filter((name) => statSync(`${BUILT}/${name}`).isFile());
const digest = (name) => sha256(readFileSync(`${BUILT}/${name}`)).slice(0, 32);
writeFileSync(`${BUILT}/digests.txt`, files.sort().map((name) => `${digest(name)} /${name}\n`).join(""));

rmSync("public", { recursive: true, force: true });
renameSync(BUILT, "public");
