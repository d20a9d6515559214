// Drives one operation on one target with autocannon: a number of connections and of requests, with every response
// checked.
//
// About autocannon: with `amount` it ignores `duration`, and divides the requests among the connections in advance. A
// run ends at the next `sampleInt`. Its histogram has whole milliseconds, so the latencies come from its events.
import autocannon from "autocannon";

import { cpuSeconds } from "./cpu.mjs";

const SAMPLE_MS = 10;
const PATIENCE_SECONDS = 60;

/**
 * @param {{origin: string, pid: number, world: object}} target
 * @param {object} operation one of OPERATIONS
 * @returns {Promise<{seconds: number, cpu: number, latencies: number[]}>} `cpu` in seconds, `latencies` in ms
 */
export async function drive(target, operation, { connections, amount }) {
  const latencies = [];
  let unexpected;
  let lastAnswer;
  let index = 0;
  const setupClient = (client) => {
    const connection = index;
    index += 1;
    const onResponse = (status, body) => {
      if (status !== operation.status) {
        unexpected ??= `${status} ${body}`;
        run.stop();
      } else {
        operation.answered?.(target.world, connection, body);
      }
    };
    const setupRequest = () => ({ ...operation.request(target.world, connection), host: new URL(target.origin).host });
    client.setRequests([{ setupRequest, onResponse }]);
  };
  const cpuBefore = cpuSeconds(target.pid);
  const begun = performance.now();
  const run = autocannon({
    url: target.origin,
    connections,
    amount,
    setupClient,
    sampleInt: SAMPLE_MS,
    timeout: PATIENCE_SECONDS,
    bailout: 1,
  });
  run.on("response", (client, status, bytes, milliseconds) => {
    latencies.push(milliseconds);
    lastAnswer = performance.now();
  });
  const { errors, timeouts } = await run;
  const cpu = cpuSeconds(target.pid) - cpuBefore;
  if (unexpected !== undefined || errors > 0 || latencies.length !== amount) {
    const found = unexpected ?? `${latencies.length} answers, ${errors} errors, ${timeouts} of them timeouts`;
    const expected = `${amount} × ${operation.status}`;
    throw new Error(`${operation.title} of ${target.name}: ${found}, where ${expected} were expected`);
  }
  return { seconds: (lastAnswer - begun) / 1000, cpu, latencies };
}
