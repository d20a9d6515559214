// The processor time of another process, as Linux counts it. Unlike time on the wall, it hardly changes when somebody
// else uses the machine, too.
import { readdirSync, readFileSync } from "node:fs";

/** Seconds that a process has computed so far, in all its threads: to the nanosecond, where `stat` counts in 10 ms. */
export function cpuSeconds(pid) {
  const threads = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(threads).map((thread) => {
    const [running] = readFileSync(`${threads}/${thread}/schedstat`, "utf8").split(" ");
    return Number(running);
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}
