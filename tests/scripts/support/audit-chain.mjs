// Builds archives of audit events as docs/audit.md describes them, apart from the scripts and from the service: another reading of
// the same text. And changes them, as an attacker would.
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const LF = "\n";
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A key pair, with the JSON Web Key and the id of its public part. */
export function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x } = publicKey.export({ format: "jwk" });
  const jwk = { crv: "Ed25519", kty: "OKP", x };
  return { privateKey, jwk, kid: createHash("sha256").update(JSON.stringify(jwk)).digest("base64url") };
}

/** An event of a user without personal fields. */
export const event = (id, members = {}) => ({
  id,
  created_at: 1_790_000_000_000 + id * 1000,
  type: "signed_in",
  reason: null,
  count: 1,
  last_at: 1_790_000_000_000 + id * 1000,
  user_id: 7,
  session_id: id * 3,
  actor_id: null,
  university_id: null,
  object_id: null,
  personal: null,
  ...members,
});

/** The bytes of an object: its lines, signed. */
export function signed(lines, number, { privateKey }) {
  const above = lines.map((line) => `${line}${LF}`).join("");
  const signature = sign(null, Buffer.from(`edge-auth audit object\n${number}\n${sha256(above)}`), privateKey).toString("base64url");
  return Buffer.from(`${above}${JSON.stringify({ signature })}${LF}`);
}

/** An archive: `objects` by number, and `rows` of the register. */
export class Archive {
  key;
  objects = new Map();
  rows = [];

  constructor(key = newKey()) {
    this.key = key;
  }

  /** Adds an object. `members` replace those of its header. */
  add(events, members = {}) {
    const last = this.rows.at(-1);
    const number = (last?.object ?? 0) + 1;
    const header = {
      format: "edge-auth-audit/1",
      object: number,
      first: last?.first_kept ?? 1,
      previous: last?.sha256 ?? "0".repeat(64),
      key: this.key.jwk,
      made_at: 1_800_000_000_000 + number,
      events: events.length,
      total: (last?.total ?? 0) + events.length,
      ...members,
    };
    const bytes = signed([header, ...events].map((line) => JSON.stringify(line)), number, this.key);
    this.objects.set(number, bytes);
    this.rows.push({
      object: number,
      sha256: sha256(bytes),
      first_kept: header.first,
      events: header.events,
      total: header.total,
      newest_at: events.at(-1)?.created_at ?? null,
      made_at: header.made_at,
    });
    return this;
  }

  /** The head as the service logs it, of the newest object or another one. */
  head(number = this.rows.at(-1).object) {
    return `${number}:${sha256(this.objects.get(number))}:${this.key.kid}`;
  }

  /** A copy that can be changed without changing this one. */
  copy() {
    const copy = new Archive(this.key);
    copy.objects = new Map(this.objects);
    copy.rows = this.rows.map((row) => ({ ...row }));
    return copy;
  }

  lines(number) {
    return this.objects.get(number).toString().split(LF).slice(0, -1);
  }

  /** Replaces the lines of an object, its signature line too. */
  write(number, lines) {
    this.objects.set(number, Buffer.from(lines.map((line) => `${line}${LF}`).join("")));
    return this;
  }

  /** Replaces one line of an object by a function of it. The line -1 is the signature. */
  edit(number, line, change) {
    const lines = this.lines(number);
    lines.splice(line, 1, change(lines.at(line)));
    return this.write(number, lines);
  }

  /** Signs lines as an object by the archive's own key: faults that only the service itself could make. */
  sign(number, lines) {
    this.objects.set(number, signed(lines, number, this.key));
    return this;
  }

  /** Makes register and hashes agree with the objects, as far as that is possible without the key. */
  rehash() {
    for (const row of this.rows.filter(({ object }) => this.objects.has(object))) {
      const former = this.objects.get(row.object - 1);
      const lines = this.lines(row.object);
      lines[0] = former ? lines[0].replace(/"previous":"\w{64}"/, `"previous":"${sha256(former)}"`) : lines[0];
      this.write(row.object, lines);
      row.sha256 = sha256(this.objects.get(row.object));
    }
    return this;
  }

  /** Writes the objects into a folder, as a copy of the bucket has them. */
  writeTo(folder) {
    mkdirSync(join(folder, "audit"), { recursive: true });
    for (const [number, bytes] of this.objects) {
      writeFileSync(join(folder, "audit", `${String(number).padStart(10, "0")}.ndjson`), bytes);
    }
    return folder;
  }

  /** The objects, as scripts read them. */
  source() {
    return {
      get: async (number) => this.objects.get(number),
      numbers: async () => [...this.objects.keys()].sort((a, b) => a - b),
      close: async () => {},
    };
  }
}

/** An archive of `count` objects with three events each. */
export function archiveOf(count, key) {
  const archive = new Archive(key);
  for (let number = 0; number < count; number += 1) {
    archive.add([1, 2, 3].map((index) => event(number * 3 + index)));
  }
  return archive;
}
