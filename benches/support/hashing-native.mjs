// A separate process that hashes the same password with OpenSSL for each message with a number of rounds, and reports
// the CPU time. An environment variable selects the processor instructions that OpenSSL uses.
import { pbkdf2Sync } from "node:crypto";

process.on("message", (rounds) => {
  const before = process.cpuUsage();
  const key = pbkdf2Sync("correct horse battery staple", "sixteen of bytes", rounds, 32, "sha256");
  const { user, system } = process.cpuUsage(before);
  process.send({ cpuMs: (user + system) / 1000, beginning: key.subarray(0, 8).toString("hex") });
});
