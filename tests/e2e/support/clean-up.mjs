// The clean-up, triggered as by the timer, and the line that it logs.
import { logged } from "./logs.mjs";

/** Every 15 minutes, as wrangler.toml has it. */
const CRON = "*/15 * * * *";

/** One run, from beginning to end: returns the line that it logged. */
export async function cleanUp(service, cron = CRON) {
  const isOwn = (line) => line.name === "app.clean_up";
  const before = (await logged(service, isOwn)).length;
  const worker = await service.miniflare.getWorker();
  const { outcome } = await worker.scheduled({ cron });
  if (outcome !== "ok") {
    throw new Error(`the clean-up ended with ${outcome}`);
  }
  await service.logged(isOwn, before + 1);
  return service.logs(isOwn).at(-1);
}
