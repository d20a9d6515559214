// Medians and percentiles of what was measured.

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);

/** The nearest rank: of ten numbers the 95th percentile is the tenth. */
export function percentile(numbers, share) {
  const list = sorted(numbers);
  return list[Math.max(0, Math.ceil(list.length * share) - 1)];
}

export function median(numbers) {
  const list = sorted(numbers);
  const middle = list.length >> 1;
  return list.length % 2 === 1 ? list[middle] : (list[middle - 1] + list[middle]) / 2;
}

/**
 * How far the median of such a sample is off, about, in two cases of three: the standard error of a median of normally
 * distributed numbers, with the width of the distribution taken from its quartiles, which outliers do not move.
 */
export function errorOfMedian(numbers) {
  const width = (percentile(numbers, 0.75) - percentile(numbers, 0.25)) / 1.349;
  return (1.253 * width) / Math.sqrt(numbers.length);
}
