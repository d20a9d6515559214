// `make bench-import`, second part: the CPU of the first sign-in of an imported user by the form of its hash, and the memory of
// workerd during a thousand of them, and during a thousand later ones for comparison. The first sign-in verifies the imported hash and makes a new one of 600,000 rounds, so it can
// be repeated with a new user only. Every form is measured in every round, in direct succession, and its ratio is to a sign-in of
// a registered user in the same round. For the memory new hashes have one round.
import { readFileSync } from "node:fs";

import { login, register } from "../../tests/e2e/support/client.mjs";
import { rows } from "../../tests/e2e/support/database.mjs";
import { cpuSeconds } from "../support/cpu.mjs";
import { circumstances, inWords } from "../support/machine.mjs";
import { PASSWORD } from "../support/people.mjs";
import { save } from "../support/results.mjs";
import { errorOfMedian, median } from "../support/statistics.mjs";
import { lines } from "../support/table.mjs";
import { productModules, startTarget } from "../support/targets.mjs";
import { hashesOf, MEMORY_HUNGRY } from "./hashes.mjs";
import { importLines, newImporter } from "./importer.mjs";

const ROUNDS = 9;
const WARM_UP = 1;
/** Sign-ins of one measurement. */
const USERS = 3;
const REGISTERED = "a registered user";
/** Sign-ins for the memory, and between two looks at it. */
const MANY = 1000;
const LOOK = 200;
const CONNECTIONS = 4;
const WRAPPER = "tests/e2e/wrappers/wasm-memory.mjs";
const ANY_COST = { IMPORT_MAX_HASH_COST: "10000000" };

let users = 0;

/** Imports so many users with this hash. */
async function movedIn(target, key, hash, count) {
  const lines = Array.from({ length: count }, () => ({ email: `moved-${(users += 1)}@mail.example`, password_hash: hash }));
  for (let at = 0; at < count; at += 500) {
    await importLines(target, key, lines.slice(at, at + 500));
  }
  return lines.map(({ email }) => ({ email, password: PASSWORD }));
}

async function signIn(target, user) {
  const { status, text } = await login(target, user);
  if (status !== 200) {
    throw new Error(`${status} ${text}`);
  }
}

/** A hash of the service itself. */
async function argon2idHash() {
  const target = await startTarget(productModules(), { settings: { PASSWORD_HASH: "argon2id" } });
  await register(target, { email: "argon2id@mail.example", password: PASSWORD });
  const [{ hash }] = await rows(await target.database(), "SELECT password_hash AS hash FROM users");
  await target.stop();
  return hash;
}

/** Milliseconds of CPU for one sign-in of these users. */
async function cpuOf(target, people) {
  const before = cpuSeconds(target.pid);
  for (const user of people) {
    await signIn(target, user);
  }
  return ((cpuSeconds(target.pid) - before) * 1000) / people.length;
}

/** The CPU of each round by the name of the form. */
async function measure(hashes) {
  const target = await startTarget(productModules(), { settings: ANY_COST });
  try {
    const { key, admin } = await newImporter(target);
    const found = { [REGISTERED]: [] };
    for (let round = -WARM_UP; round < ROUNDS; round += 1) {
      const cpu = { [REGISTERED]: await cpuOf(target, Array.from({ length: USERS }, () => admin.user)) };
      for (const [name, hash] of Object.entries(hashes)) {
        cpu[name] = await cpuOf(target, await movedIn(target, key, hash, USERS));
      }
      if (round >= 0) {
        Object.entries(cpu).forEach(([name, ms]) => (found[name] ??= []).push(ms));
      }
    }
    return found;
  } finally {
    await target.stop();
  }
}

/** The memory of workerd, and of the Wasm module in it, in MiB, while users with hashes of all these forms sign in. */
async function memory(hashes) {
  const target = await startTarget(productModules(WRAPPER), { settings: { ...ANY_COST, PASSWORD_ITERATIONS: "1" } });
  try {
    const { key } = await newImporter(target);
    const people = [];
    for (const name of MEMORY_HUNGRY) {
      people.push(await movedIn(target, key, hashes[name], MANY / MEMORY_HUNGRY.length));
    }
    // One of each form in turn; and all once more, when their hashes are those of the service.
    const first = people[0].flatMap((_, index) => people.map((ofForm) => ofForm[index]));
    const queue = [...first, ...first];
    const looks = [await look(target, 0)];
    for (let at = 0; at < queue.length; at += LOOK) {
      const next = queue.slice(at, at + LOOK);
      const client = async () => {
        for (let user = next.shift(); user; user = next.shift()) {
          await signIn(target, user);
        }
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, client));
      looks.push(await look(target, at + LOOK));
    }
    return looks;
  } finally {
    await target.stop();
  }
}

async function look({ origin, pid }, signIns) {
  const wasm = Number(await (await fetch(origin, { headers: { "X-Test-Memory": "yes" } })).text());
  const kib = Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
  return { sign_ins: signIns, wasm_mib: wasm / 2 ** 20, resident_mib: kib / 1024 };
}

const around = circumstances();
const begun = performance.now();
const hashes = hashesOf(await argon2idHash());
const found = await measure(hashes);
const looks = await memory(hashes);
const base = found[REGISTERED];
const table = Object.entries(found).map(([name, measured]) => {
  const ratios = measured.map((cpu, round) => cpu / base[round]);
  return { name, cpu_ms: median(measured), ratio: median(ratios), error: errorOfMedian(ratios) };
});
const file = save("bench-import-sign-ins.json", { ...around, first_sign_ins: table, memory: looks });
const rowsOf = table.map(({ name, cpu_ms: cpu, ratio, error }) => [name, cpu, `${ratio.toFixed(2)} ± ${error.toFixed(2)}`]);
console.log(`
${inWords(around).join("\n")}

${lines([["first sign-in", "CPU", "ratio"], ...rowsOf]).join("\n")}

CPU: milliseconds of the workerd process for a sign-in, its D1 included; medians of ${ROUNDS} rounds of ${USERS}.

${lines([["sign-ins", "Wasm MiB", "workerd MiB"], ...looks.map((each) => [String(each.sign_ins), each.wasm_mib, each.resident_mib])], []).join("\n")}

Sign-ins of users whose hashes take memory, of four forms in turn, over ${CONNECTIONS} connections: ${MANY} first ones, and then the same users again.
${((performance.now() - begun) / 1000).toFixed(0)} s; ${file}`);
