// Deploys to an environment and goes back to the version before, if the deployment fails its smoke test.
// Usage: node scripts/release.mjs ENVIRONMENT URL
//
// The order: note which version serves, apply the migrations, deploy, run the smoke test. Every other failure leaves
// production as it is. `wrangler rollback` is not used: without an id it takes the second newest deployment, although a
// changed secret is a deployment too, and outside a terminal it confirms by itself that secrets go back as well.
// `wrangler versions deploy` takes exactly the noted id, and fails if a secret has changed since.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";

/** A new version takes some seconds to reach every location, and one lost packet is no reason to go back or to give up. */
const ATTEMPTS = 3;
const PAUSE_SECONDS = Number(process.env.SMOKE_PAUSE_SECONDS ?? 10);
/** Cloudflare's codes of a Worker that does not exist, and wrangler's own message: there was no deployment yet. */
const NEVER_DEPLOYED = /\[code: (10007|10090)\]|has no deployments/;

const [environment, url] = process.argv.slice(2);
if (!environment || !url) {
  console.error("usage: node scripts/release.mjs ENVIRONMENT URL");
  process.exit(2);
}

/** Runs wrangler for the environment. `stdio` decides whether its output is shown or returned. */
function wrangler(args, stdio = "inherit") {
  const env = { ...process.env, CI: "true" };
  const run = spawnSync("wrangler", [...args, "--env", environment], { encoding: "utf8", env, stdio });
  return { ok: run.status === 0, text: stripVTControlCharacters(`${run.stdout ?? ""}${run.stderr ?? ""}`), ...run };
}

/** Repeats an action, with pauses, until its result counts. Returns the last result. */
async function repeat(action, counts) {
  for (let attempt = 1; ; attempt += 1) {
    const result = action();
    if (attempt === ATTEMPTS || counts(result)) {
      return result;
    }
    await pause(PAUSE_SECONDS * 1000);
  }
}

/** The versions that serve, each as `<id>@<percentage>%`; none before the first deployment. */
async function serving() {
  const status = () => wrangler(["deployments", "status", "--json"], "pipe");
  const { ok, stdout, text } = await repeat(status, (result) => result.ok || NEVER_DEPLOYED.test(result.text));
  if (ok) {
    const { versions } = JSON.parse(stdout.slice(stdout.search(/^\{/m)));
    return versions.map(({ version_id, percentage }) => `${version_id}@${percentage}%`).sort();
  }
  if (NEVER_DEPLOYED.test(text)) {
    return [];
  }
  throw new Error(text.trim() || "wrangler could not be run");
}

const alike = (one, other) => one.join() === other.join();

/** The smoke test, which writes nothing. */
function passesSmokeTest() {
  const args = [join(import.meta.dirname, "smoke.mjs"), url];
  return repeat(() => spawnSync(process.execPath, args, { stdio: "inherit" }).status === 0, (passed) => passed);
}

/** Puts the noted versions back, unless the deployment is no longer this one. Returns the result, as a sentence. */
async function goBack(before, after) {
  if (before.length === 0) {
    return "This was the first deployment: there is no version to go back to.";
  }
  const now = await serving();
  if (!alike(now, after)) {
    return `Not rolled back: ${now.join(" ")} serves now, from another deployment or a changed secret.`;
  }
  const args = ["versions", "deploy", ...before, "--yes", "--message", "The smoke test of the next version failed"];
  const { ok } = await repeat(() => wrangler(args), (result) => result.ok);
  if (!ok) {
    return `Not rolled back: wrangler refused ${before.join(" ")}, as it does if a secret has changed since. ${after.join(" ")} serves.`;
  }
  return `Rolled back: ${before.join(" ")} serves again. Migrations and data stay as they are.`;
}

/** The whole release. Returns the reason if it failed. */
async function release() {
  const before = await serving();
  console.log(`Serving before: ${before.join(" ") || "nothing, this is the first deployment"}`);
  if (!wrangler(["d1", "migrations", "apply", "DB", "--remote"]).ok) {
    return "The migrations failed. Nothing was deployed.";
  }
  const deployed = wrangler(["deploy"]).ok;
  const after = await serving();
  if (!deployed && alike(before, after)) {
    return "The deployment failed. The version from before still serves.";
  }
  console.log(`Serving now: ${after.join(" ")}`);
  if (!(await passesSmokeTest())) {
    return `The smoke test failed. ${await goBack(before, after)}`;
  }
  return deployed ? undefined : `wrangler reported an error, but ${after.join(" ")} serves and passes the smoke test.`;
}

const failure = await release().catch((error) => `The serving version could not be read, nothing was rolled back: ${error.message}`);
if (failure) {
  console.error(failure);
  process.exit(1);
}
console.log("The release serves and passes the smoke test.");
