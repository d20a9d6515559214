// docs/settings.md and docs/operate.md against the code: they have every setting with its range, and every log line that needs an operator.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { ROOT } from "./support/make.mjs";

const read = (path) => readFileSync(join(ROOT, path), "utf8");
/** The code of a folder, without tests and whole-line comments. */
const code = (folder, ending) =>
  readdirSync(join(ROOT, folder), { recursive: true })
    .filter((name) => name.endsWith(ending) && !/(^|\/|_)tests\.rs$/.test(name))
    .map((name) => read(join(folder, name)).split("\n#[cfg(test)]\n")[0].replace(/^\s*\/\/.*$/gm, ""))
    .join("\n");
const SETTINGS = code("src/domain/settings", ".rs");
/** The rows of docs/settings.md: the name, and the text about it. */
const ROWS = [...read("docs/settings.md").matchAll(/^\| `([A-Z0-9_<>]+)` \| .*? \| (.*) \|$/gm)].map(([, name, text]) => [name, text]);

/** Texts in capitals that are values of a setting. */
const VALUES = ["DEBUG", "INFO", "WARNING", "ERROR"];

/** The settings that the code reads. Those of a provider are the last parts of names. */
function settings() {
  const [list, ...members] = /\["CLIENT_ID", "(\w+)", "(\w+)"\]\.map\(\|member\| format!\("\{prefix\}_\{member\}"\)\)/.exec(SETTINGS);
  const ofProvider = ["CLIENT_ID", ...members].map((member) => `FEDERATION_<ID>_${member}`);
  const literals = [...SETTINGS.replace(list, "").matchAll(/"([A-Z][A-Z0-9_]*)"/g)].map(([, name]) => name);
  return [...new Set(literals.filter((name) => !VALUES.includes(name))), ...ofProvider];
}

test("each setting that the service reads has one row, and each row is such a setting", () => {
  const names = settings();
  assert.ok(names.length > 60, String(names.length));
  assert.deepEqual(ROWS.map(([name]) => name).sort(), names.sort());
});

/** A number of the code: digits, a product, or one of two constants. */
function numberOf(text) {
  const constant = (path, name) => read(path).match(new RegExp(`const ${name}: \\w+ = ([\\d_]+);`))[1];
  const constants = {
    "i64::from(MAX_ROUNDS)": () => constant("src/domain/password/work.rs", "MAX_ROUNDS"),
    max_length: () => constant("src/domain/password/mod.rs", "MAX_LENGTH"),
  };
  const factors = (constants[text]?.() ?? text).replaceAll("_", "").split(" * ").map(Number);
  return factors.reduce((product, factor) => product * factor, 1);
}

test("the row of each number states its range", () => {
  const ranges = [...SETTINGS.matchAll(/"([A-Z0-9_]+)",[^;"]*?\|text\| integer\(text, (\w+), ((?:[^()]|\([^()]*\))+)\)/g)];
  assert.equal(ranges.length, SETTINGS.split("integer(text, ").length - 1, "each is found");
  assert.ok(ranges.length > 20, String(ranges.length));
  const stated = ranges.map(([, name, min, max]) => {
    const [, text = ""] = ROWS.find(([row]) => row === name) ?? [];
    const range = `${numberOf(min)} to ${numberOf(max)}`;
    return new RegExp(`(^|\\D)${range}(\\D|$)`).test(text.replace(/(\d),(?=\d{3})/g, "$1")) ? undefined : `${name}: ${range}`;
  });
  assert.deepEqual(stated.filter(Boolean), []);
});

/** The arguments of each call that begins with this. */
function* calls(text, begin) {
  for (const { 0: found, index, ...groups } of text.matchAll(begin)) {
    const from = index + found.length;
    let depth = 1;
    let to = from;
    // Texts may have parentheses.
    for (const { 0: token, index: at } of text.slice(from).matchAll(/"(?:[^"\\]|\\.)*"|`[^`]*`|[()]/g)) {
      depth += { "(": 1, ")": -1 }[token] ?? 0;
      to = from + at;
      if (depth === 0) {
        break;
      }
    }
    yield [groups[1], text.slice(from, to)];
  }
}

/** Level, name and message of each line from WARNING on. */
function logLines() {
  const levels = { warn: "WARNING", error: "ERROR" };
  const rust = [...calls(code("src", ".rs"), /\btracing::(warn|error)!\(/g)].map(([macro, text]) => {
    const [, name] = /target: "([^"]+)"/.exec(text);
    const [, message] = /[,\s]"([^"]+)"\s*$/.exec(text);
    return { level: levels[macro], name, message };
  });
  const script = [...code("src", ".mjs").matchAll(/\blog\("(WARNING|ERROR)", "([^"]+)", ["`]([^"`$]+)/g)].map(([, level, name, message]) => ({
    level,
    name,
    message: message.replace(/: $/, ""),
  }));
  return [...rust, ...script];
}

test("each log line of a warning or an error has a row in the runbooks", () => {
  const lines = logLines();
  assert.ok(lines.length > 60, String(lines.length));
  const table = read("docs/operate.md").split("\n").filter((line) => /^\| `app\./.test(line)).map((line) => line.slice(2).split(" | "));
  const isListed = ({ level, name, message }) =>
    table.some(([rowName, rowLevel, messages]) => {
      const listed = [...messages.matchAll(/`([^`]+?)(: …)?`/g)];
      const isMessage = ([, text, more]) => message === text || (more !== undefined && message.startsWith(`${text}: `));
      return rowName === `\`${name}\`` && rowLevel === level && listed.some(isMessage);
    });
  const missing = lines.filter((line) => !isListed(line)).map(({ level, name, message }) => `${name} ${level} ${message}`);
  assert.deepEqual([...new Set(missing)], []);
});
