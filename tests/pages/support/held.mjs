// Answers that the test lets go, and keys that a dialog must survive.

/**
 * Holds the next answer to a request. The service has carried it out when `isDue` is settled; `release()` lets the page have it, and
 * `isOver` is settled when the page has taken it.
 */
export async function hold(page, method, path) {
  const { promise: isDue, resolve: arrive } = Promise.withResolvers();
  const { promise: isFree, resolve: release } = Promise.withResolvers();
  const { promise: isOver, resolve: end } = Promise.withResolvers();
  let isHeld = false;
  const answer = async (route) => {
    if (isHeld || route.request().method() !== method) {
      return route.fallback();
    }
    isHeld = true;
    const response = await route.fetch();
    arrive();
    await isFree;
    await route.fulfill({ response });
    // The page acts on the answer before it draws the next two frames.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    return end();
  };
  await page.route(`**/${path}`, answer);
  return { isDue, isOver, release };
}

/** Presses Escape, and waits each time until a close of the dialog would have taken place. */
export async function pressEscape(page, { times, isOld }) {
  await page.evaluate((isOld) => isOld && document.querySelector("dialog").removeAttribute("closedby"), isOld);
  for (let count = 0; count < times; count += 1) {
    await page.keyboard.press("Escape");
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }
}
