// The service in a process of its own, so that a test can kill it:
// `node serve.mjs <state folder> <settings> [<wrapper>]`. Prints `{"origin": …}` when it answers; ends with its
// standard input, so that it never outlives the test.
import { startService } from "./service.mjs";

const [state, settings, wrapper] = process.argv.slice(2);
const service = await startService({ state, settings: JSON.parse(settings), wrapper });
console.log(JSON.stringify({ origin: service.origin }));
process.stdin.resume();
process.stdin.on("end", async () => {
  await service.stop();
  process.exit();
});
