// Rules for GitHub workflows that actionlint does not have: no tool that tests or builds comes near a secret, and nothing
// that others can change reaches a release. Run by scripts/lint-workflows.mjs.
import { parse } from "yaml";

/** Behind the name of an action: the commit, with its tag in a comment. */
const PINNED = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$/;
/** The commands of a job with secrets. All of them run the package, and none runs code that npm or cargo brought. */
const ALLOWED = [
  /^gh attestation verify /,
  /^tar -xzf \S+$/,
  /^npm ci --omit=dev --ignore-scripts( --no-\w+)*$/,
  /^PATH="\$PWD\/node_modules\/\.bin:\$PATH" node scripts\/release\.mjs \w+ "\$SERVICE_URL"$/,
];
const ALLOWED_ACTIONS = ["actions/download-artifact", "actions/setup-node"];
const SECRET = /\$\{\{[^}]*\bsecrets\b/;

const text = (value) => JSON.stringify(value ?? null);
const uses = (step, action) => step.uses?.startsWith(`${action}@`) ?? false;
const hasSecrets = (job) => job.environment !== undefined || job.secrets !== undefined || SECRET.test(text(job));
const canSign = (job) => job.permissions?.["id-token"] === "write";

/** A commit cannot be moved, a tag or a branch can. A file of this repository has the commit of the run. */
function unpinned(source, { jobs }) {
  const used = Object.values(jobs).flatMap((job) => [job, ...(job.steps ?? [])].flatMap(({ uses }) => uses ?? []));
  const lines = source.split("\n").map((line) => line.replace(/^[ -]*uses: /, ""));
  const isPinned = (name) => {
    const naming = lines.filter((line) => line.startsWith(name));
    return name.startsWith("./") || (naming.length > 0 && naming.every((line) => PINNED.test(line)));
  };
  return used.filter((name) => !isPinned(name)).map((name) => `"uses: ${name}" is no commit with its tag as a comment`);
}

function workflowFaults({ on, permissions, env, jobs }) {
  const faults = [];
  if (permissions === undefined || text(permissions).includes("write")) {
    faults.push("the workflow does not limit its permissions to reading");
  }
  if (SECRET.test(text(env))) {
    faults.push("every job sees a secret of the workflow's env");
  }
  if (/pull_request_target|workflow_run/.test(text(on))) {
    faults.push("the workflow runs with secrets for the code of a stranger");
  }
  const isRelease = Object.values(jobs).some((job) => hasSecrets(job) || canSign(job));
  return [...faults, ...Object.entries(jobs).flatMap(([name, job]) => jobFaults(job, isRelease).map((fault) => `job ${name}: ${fault}`))];
}

function jobFaults(job, isRelease) {
  const steps = job.steps ?? [];
  const faults = steps.filter((step) => uses(step, "actions/checkout") && step.with?.["persist-credentials"] !== false).map(
    () => "checkout leaves its token in the folder",
  );
  if (isRelease && steps.some(restoresCache)) {
    faults.push("a release restores a cache, which other jobs can write");
  }
  if (hasSecrets(job)) {
    faults.push(...secretFaults(job, steps));
  }
  if (canSign(job) && steps.some(({ run }) => run !== undefined)) {
    faults.push("a command runs with the permission to sign");
  }
  return faults;
}

/** `setup-node` caches by itself if package.json names a package manager, unless it is told not to. */
function restoresCache(step) {
  const setsUpNode = uses(step, "actions/setup-node");
  return /^actions\/cache(\/restore)?@/.test(step.uses ?? "") || (setsUpNode && step.with?.["package-manager-cache"] !== false) || step.with?.cache !== undefined;
}

function secretFaults(job, steps) {
  const faults = [];
  if (SECRET.test(text({ ...job, steps: undefined }))) {
    faults.push("every step sees a secret of the job");
  }
  if (!job.environment) {
    faults.push("a secret without a protected environment");
  }
  const commands = steps.flatMap(({ run }) => (run === undefined ? [] : [run.trim()]));
  for (const command of commands.filter((command) => !ALLOWED.some((pattern) => pattern.test(command)))) {
    faults.push(`runs beside a secret: ${command}`);
  }
  const others = steps.filter((step) => step.uses && !ALLOWED_ACTIONS.some((action) => uses(step, action)));
  faults.push(...others.map((step) => `runs beside a secret: ${step.uses}`));
  if (job.container || job.services || job.uses) {
    faults.push("an image or another workflow runs beside a secret");
  }
  return faults;
}

/** The faults of a workflow, from its text. */
export function ruleFaults(source) {
  const workflow = parse(source);
  return [...unpinned(source, workflow), ...workflowFaults(workflow)];
}
