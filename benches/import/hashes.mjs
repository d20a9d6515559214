// Hashes of other systems with their usual parameters, all of one password. Each is made once: of users that share a salt the CPU
// is the same.
import { execFileSync } from "node:child_process";
import { createCipheriv, pbkdf2Sync, randomBytes, scryptSync } from "node:crypto";
import { join, resolve } from "node:path";

import { PASSWORD } from "../support/people.mjs";

const PYTHON = join(resolve(import.meta.dirname, "../.."), ".tools/moving/bin/python");
/** bcrypt comes from its own library, through passlib. */
const BY_PASSLIB = `
import json, sys
from passlib.hash import bcrypt, bcrypt_sha256
password = sys.argv[1]
print(json.dumps({
    "bcrypt, cost 10": bcrypt.using(rounds=10).hash(password),
    "bcrypt, cost 12": bcrypt.using(rounds=12).hash(password),
    "bcrypt_sha256, cost 12": bcrypt_sha256.using(rounds=12).hash(password),
}))`;
const salt = randomBytes(16);
const plain = (bytes) => bytes.toString("base64").replace(/=+$/, "");

function pbkdf2(digest, rounds, length) {
  const key = pbkdf2Sync(PASSWORD, salt, rounds, length, digest);
  return `$pbkdf2-${digest}$i=${rounds},l=${length}$${plain(salt)}$${plain(key)}`;
}

function scrypt(logN, blockSize) {
  const key = scryptSync(PASSWORD, salt, 32, { N: 2 ** logN, r: blockSize, p: 1, maxmem: 2 ** 28 });
  return `$scrypt$ln=${logN},r=${blockSize},p=1$${plain(salt)}$${plain(key)}`;
}

/** N = 2^14 with blocks of 2 KiB, and the salt as a text. */
function betterAuth() {
  const text = salt.toString("hex");
  return `${text}:${scryptSync(PASSWORD, text, 64, { N: 2 ** 14, r: 16, p: 1, maxmem: 2 ** 28 }).toString("hex")}`;
}

/** The signer key, encrypted with AES in counter mode by a key of scrypt. */
function firebase() {
  const [signer, separator] = [randomBytes(64), Buffer.from("Bw==", "base64")];
  const key = scryptSync(PASSWORD, Buffer.concat([salt, separator]), 32, { N: 2 ** 14, r: 8, p: 1, maxmem: 2 ** 28 });
  const hash = createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(signer);
  const [salted, hashed, signing] = [salt, hash, signer].map((bytes) => bytes.toString("base64"));
  return `$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=${signing}$${salted}$${hashed}`;
}

/** `{name: hash}`. `argon2id` is a hash of this service: 19 MiB, two passes, one lane. */
export function hashesOf(argon2id) {
  return {
    ...JSON.parse(execFileSync(PYTHON, ["-c", BY_PASSLIB, PASSWORD], { encoding: "utf8" })),
    "PBKDF2-SHA256, 600,000 rounds": pbkdf2("sha256", 600_000, 32),
    "PBKDF2-SHA512, 210,000 rounds": pbkdf2("sha512", 210_000, 64),
    "scrypt, N = 2^14, r = 8": scrypt(14, 8),
    "scrypt of Better Auth, r = 16": betterAuth(),
    "Argon2id, 19 MiB": argon2id,
    "Firebase, N = 2^14, r = 8": firebase(),
  };
}

/** Those that take megabytes. */
export const MEMORY_HUNGRY = ["scrypt, N = 2^14, r = 8", "scrypt of Better Auth, r = 16", "Argon2id, 19 MiB", "Firebase, N = 2^14, r = 8"];
