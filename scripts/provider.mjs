// Runs a command with an OpenID provider beside it, both until one Ctrl-C: `node scripts/provider.mjs wrangler dev …`. The
// provider is for a laptop: a public secret, accounts without passwords, and redirects to this machine only. Environment
// variables: PROVIDER_PORT, PROVIDER_CLIENT_ID, PROVIDER_CLIENT_SECRET, and PORT of the service.
import { spawn } from "node:child_process";

import { startOpenIdProvider } from "./provider/openid-provider.mjs";

const { PORT, PROVIDER_PORT, PROVIDER_CLIENT_ID, PROVIDER_CLIENT_SECRET } = process.env;
const SERVICE = `http://localhost:${PORT}`;
/** The last one has the address of a demo user of `make seed`: it shows how an account is linked. */
const ACCOUNTS = [
  { sub: "ada-1815", email: "ada@example.com", email_verified: true, name: "Ada Lovelace" },
  { sub: "grace-1906", email: "grace@example.com", email_verified: true, name: "Grace Hopper" },
  { sub: "alan-1912", email: "alan@example.com", email_verified: false, name: "Alan Turing (address not verified)" },
  { sub: "student-1", email: "student@demo.example", email_verified: true, name: "A demo user of make seed" },
];
const THIS_MACHINE = ["localhost", "127.0.0.1", "[::1]"];

const [command, ...args] = process.argv.slice(2);
if (!command) {
  console.error("usage: node scripts/provider.mjs COMMAND [ARGUMENTS]");
  process.exit(2);
}

const client = {
  id: PROVIDER_CLIENT_ID,
  secret: PROVIDER_CLIENT_SECRET,
  redirectUris: [`${SERVICE}/auth/federated/local/callback`],
};
const started = { port: Number(PROVIDER_PORT), hostname: "localhost", accounts: ACCOUNTS, clients: [client] };
const { issuer, provider, stop } = await startOpenIdProvider(started).catch(({ code, message }) => {
  const isTaken = code === "EADDRINUSE";
  console.error(isTaken ? `Port ${PROVIDER_PORT} is in use: set PROVIDER_PORT= to another one.` : `No provider: ${message}`);
  process.exit(1);
});
// A developer may have a base path, or a second provider with another id: both are in the redirect URI.
provider.Client.prototype.redirectUriAllowed = (uri) => THIS_MACHINE.includes(URL.parse(uri)?.hostname);

const addresses = ACCOUNTS.map(({ email }) => email).join(", ");
console.log(`▸ Provider at ${issuer}, for sign-ins at ${SERVICE}/account, without passwords: ${addresses}`);

const child = spawn(command, args, { stdio: "inherit" });
// Ctrl-C reaches the whole group: the command ends by itself, and this process waits for it.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("error", ({ message }) => {
  console.error(message);
  process.exit(1);
});
child.on("exit", async (code) => {
  await stop();
  process.exit(code ?? 1);
});
