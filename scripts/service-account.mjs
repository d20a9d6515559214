// Makes a service account with a key, which is printed once. Environment variables: SERVICE (its name), SCOPES (with commas
// between), STATE (the folder of the local database) and, for the database of a deployment, REMOTE.
//
// An administrator makes service accounts by the API, too. This is for the first one, before there is an administrator.
import { execute, giveUp, named, quoted } from "./database.mjs";
import { drawId, newClientId, newKey, SCOPES } from "./machine.mjs";

const MAX_NAME = 200;

const { SERVICE = "", SCOPES: list = "", STATE: state, REMOTE: environment } = process.env;
const database = { state, environment };
const name = SERVICE.trim().normalize("NFC");
if (name === "" || [...name].length > MAX_NAME || /[\p{C}\p{Zl}\p{Zp}]/u.test(name)) {
  giveUp(`SERVICE= must be a name of at most ${MAX_NAME} visible characters.`);
}
const given = list.split(",").map((scope) => scope.trim()).filter((scope) => scope !== "");
const unknown = given.filter((scope) => !SCOPES.includes(scope));
if (given.length === 0 || unknown.length > 0) {
  giveUp(`SCOPES= must be a list with commas between, of: ${SCOPES.join(", ")}.`);
}
const scopes = SCOPES.filter((scope) => given.includes(scope));

const now = Date.now();
const [accountId, keyId, clientId] = [drawId(now), drawId(now), newClientId()];
const { key, hash } = newKey(keyId);

execute(
  `INSERT INTO service_accounts (id, client_id, name, scopes, created_at, updated_at)
     VALUES (${accountId}, ${quoted(clientId)}, ${quoted(name)}, ${quoted(JSON.stringify(scopes))}, ${now}, ${now});
   INSERT INTO api_keys (id, service_account_id, secret_hash, created_at)
     VALUES (${keyId}, ${accountId}, ${quoted(hash)}, ${now});
   INSERT INTO audit_events (created_at, type, reason, object_id, request_id)
     VALUES (${now}, 'service_account_created', ${quoted(clientId)}, ${accountId}, ${quoted(`make-admin-${now}`)});`,
  database,
);
console.log(`The service account ${quoted(name)} exists now, in ${named(database)}, with the scopes ${scopes.join(", ")}.`);
console.log(`client_id: ${clientId}`);
console.log(`key: ${key}`);
console.log("The key is shown this once: the database has only its hash.");
