// The processor time of another process, as Linux counts it. Unlike wall-clock time, it hardly depends on other load on
// the machine.
import { readdirSync, readFileSync } from "node:fs";

/** CPU seconds of a process so far, over all threads, in nanosecond resolution (`stat` has 10 ms). */
export function cpuSeconds(pid) {
  const threads = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(threads).map((thread) => {
    const [running] = readFileSync(`${threads}/${thread}/schedstat`, "utf8").split(" ");
    return Number(running);
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}
