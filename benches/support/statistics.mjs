// Medians and percentiles of measurements.

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);

/** The percentile by nearest rank: of ten numbers, the 95th percentile is the tenth. */
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
 * The standard error of the median of a sample from a normal distribution. The width of the distribution is estimated
 * from the quartiles, which are robust against outliers.
 */
export function errorOfMedian(numbers) {
  const width = (percentile(numbers, 0.75) - percentile(numbers, 0.25)) / 1.349;
  return (1.253 * width) / Math.sqrt(numbers.length);
}
