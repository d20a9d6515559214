// Makes node.json anew: hashes of the packages in package.json, with fixed salts, so that every run gives the same.
//
//   cp -r . /tmp/hashes && cd /tmp/hashes && npm install && node make.mjs && cp node.json -t <this folder>
//
// Better Auth's scrypt has no cheap parameters, so it has one vector, whose password NFKC changes.
import { scryptSync } from "node:crypto";
import { writeFileSync } from "node:fs";

import bcrypt from "bcryptjs";
import { FirebaseScrypt } from "firebase-scrypt";

const PLAIN = "correct horse battery staple";
const TYPED = "\ufb01ance\u0301 \u2116\uff11";
const vectors = [];
const add = (made_by, password, hash) => vectors.push({ made_by, password, hash });

for (const password of [PLAIN, TYPED]) {
  add("bcryptjs 3.0.3", password, bcrypt.hashSync(password, "$2b$04$ABCDEFGHIJKLMNOPQRSTUu"));
}

// better-auth 1.7, packages/better-auth/src/crypto/password.ts.
const salt = "000102030405060708090a0b0c0d0e0f";
const key = scryptSync(TYPED.normalize("NFKC"), salt, 64, { N: 16384, r: 16, p: 1, maxmem: 2 ** 26 });
add("node:crypto, as Better Auth 1.7", TYPED, `${salt}:${key.toString("hex")}`);

// The parameters and users of a project, as `firebase auth:export` and the console show them.
const signerKey = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";
for (const [memCost, password] of [[4, PLAIN], [4, TYPED], [10, PLAIN]]) {
  const firebase = new FirebaseScrypt({ memCost, rounds: 8, saltSeparator: "Bw==", signerKey });
  const hash = await firebase.hash(password, "42xEC+ixf3L2lw==");
  add("firebase-scrypt 2.2.0", password, `$fbscrypt$v=1,n=${memCost},r=8,p=1,ss=Bw==,sk=${signerKey}$42xEC+ixf3L2lw==$${hash}`);
}

const lines = vectors.map((vector) => JSON.stringify(vector)).join(",\n");
writeFileSync("node.json", `[\n${lines}\n]\n`);
