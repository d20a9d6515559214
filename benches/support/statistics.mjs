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
