// Do two kinds of requests take the same time? Measured without a clock of its own, and judged without a tolerance.
//
// In each round every kind is sent once, one after another, in random order. If two kinds take the same
// time, that order and the other load of the machine decide which of the two was slower in a round, so
// each difference is as likely to be positive as negative. Wilcoxon's signed-rank test asks whether the differences
// look like that: under random signs the signed sum of their ranks has mean 0 and the variance of its squared ranks,
// whatever the distribution of the noise, so a busy machine makes the test less sensitive and never less honest.

/** Beyond this many standard deviations two kinds count as different: by chance once in 100,000 pairs. */
export const DIFFERENT = 4.42;

function shuffled(list) {
  const order = [...list];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/**
 * Milliseconds of each kind in each round.
 * @param {Record<string, (round: number) => Promise<void>>} kinds the requests
 * @param {() => Promise<void>} [options.between] is not measured: it waits until nothing is left of the preceding request
 * @returns {Promise<Record<string, number[]>>}
 */
export async function measure(kinds, { rounds, warmUp, between }) {
  const times = Object.fromEntries(Object.keys(kinds).map((name) => [name, []]));
  for (let round = 0; round < warmUp + rounds; round += 1) {
    for (const [name, request] of shuffled(Object.entries(kinds))) {
      await between?.();
      const begun = process.hrtime.bigint();
      await request(round);
      const milliseconds = Number(process.hrtime.bigint() - begun) / 1e6;
      if (round >= warmUp) {
        times[name].push(milliseconds);
      }
    }
  }
  return times;
}

/** The number of standard deviations between zero and the differences of two lists of the same rounds. */
export function distance(one, other) {
  const differences = one.map((time, round) => time - other[round]).filter((difference) => difference !== 0);
  const order = differences.map((difference) => Math.abs(difference)).sort((a, b) => a - b);
  const rank = (difference) => {
    const size = Math.abs(difference);
    // Ties get the rank in their middle.
    return (order.indexOf(size) + order.lastIndexOf(size)) / 2 + 1;
  };
  const ranks = differences.map((difference) => Math.sign(difference) * rank(difference));
  const variance = ranks.reduce((sum, each) => sum + each * each, 0);
  return variance === 0 ? 0 : ranks.reduce((sum, each) => sum + each, 0) / Math.sqrt(variance);
}

function quantile(times, share) {
  return [...times].sort((a, b) => a - b)[Math.floor((times.length - 1) * share)];
}

/** The table of a measurement: one line for each kind, compared with the first. */
export function table(times) {
  const [[, reference]] = Object.entries(times);
  const line = (name, cells) => name.padEnd(44) + cells.map((cell) => cell.padStart(9)).join("");
  const lines = Object.entries(times).map(([name, list]) => {
    const quantiles = [0.1, 0.25, 0.5, 0.75, 0.9].map((share) => quantile(list, share).toFixed(3));
    return line(name, [...quantiles, distance(list, reference).toFixed(2)]);
  });
  return [line("milliseconds", ["10 %", "25 %", "50 %", "75 %", "90 %", "z"]), ...lines];
}
