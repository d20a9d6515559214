// A process of its own that hashes the same password with OpenSSL each time it is told a number of rounds, and says
// what that took of the processor. Which of the processor's instructions OpenSSL uses is set by its environment.
import { pbkdf2Sync } from "node:crypto";

process.on("message", (rounds) => {
  const before = process.cpuUsage();
  const key = pbkdf2Sync("correct horse battery staple", "sixteen of bytes", rounds, 32, "sha256");
  const { user, system } = process.cpuUsage(before);
  process.send({ cpuMs: (user + system) / 1000, beginning: key.subarray(0, 8).toString("hex") });
});
