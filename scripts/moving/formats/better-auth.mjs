// Better Auth: the tables `user` and `account` of an SQLite file, or NDJSON of `user` with the `password` of its account.
//
// https://www.better-auth.com/docs/concepts/database
import { ImportFailure, Refusal } from "../failure.mjs";
import { identifier } from "../sqlite.mjs";
import { fullName, hash, moment, text, truth } from "../values.mjs";

/** A column may be named as in the code, or as an adapter with snake case names it. */
const either = (entry, camel) => entry[camel] ?? entry[snake(camel)];
const snake = (camel) => camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export function betterAuth(entry) {
  // The plugins for anonymous users, and for administrators.
  if (truth(either(entry, "isAnonymous"), "email_invalid")) {
    throw new Refusal("anonymous");
  }
  const end = either(entry, "banExpires");
  const isBanned = truth(entry.banned, "is_active_invalid") && !(end && Date.parse(moment(end)) < Date.now());
  return {
    external_id: text(entry.id),
    email: text(entry.email),
    email_verified: truth(either(entry, "emailVerified"), "email_verified_invalid"),
    full_name: fullName(entry.name),
    password_hash: hash(entry.password),
    created_at: moment(either(entry, "createdAt")),
    is_active: isBanned ? false : undefined,
  };
}

const pick = (names, ...wanted) => wanted.find((name) => names?.includes(name));

/** The table of users, and the password of its account beside its columns. `undefined` if these are no tables of Better Auth. */
export function betterAuthTables(tables) {
  const [user, account] = [pick(Object.keys(tables), "user", "users"), pick(Object.keys(tables), "account", "accounts")];
  const columns = tables[account];
  const [owner, provider] = [pick(columns, "userId", "user_id"), pick(columns, "providerId", "provider_id")];
  if (!user || !owner || !provider || !columns.includes("password")) {
    return undefined;
  }
  const condition = `a.${identifier(owner)} = t.id AND a.${identifier(provider)} = 'credential'`;
  const password = `(SELECT a.password FROM ${identifier(account)} AS a WHERE ${condition} LIMIT 1)`;
  return { table: user, added: { password } };
}

export function requireBetterAuthTables(tables) {
  const found = betterAuthTables(tables);
  if (!found) {
    throw new ImportFailure("The SQLite file has no tables `user` and `account` of Better Auth.");
  }
  return found;
}
