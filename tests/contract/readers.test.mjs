// The description as other parsers read it: PyYAML knows YAML 1.1, and stops at things that newer parsers take.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const COMPARE = `
import json, yaml
with open("public/openapi.yaml") as text, open("public/openapi.json") as data:
    print(yaml.safe_load(text) == json.load(data))
with open("openapi.yaml") as text, open("public/openapi.json") as data:
    print(yaml.safe_load(text) == json.load(data))
`;

test("PyYAML reads the served YAML and its source, and both equal the JSON", () => {
  assert.equal(execFileSync(".tools/python/bin/python", ["-B", "-c", COMPARE], { encoding: "utf8" }), "True\nTrue\n");
});
