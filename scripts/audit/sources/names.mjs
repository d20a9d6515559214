// The numbers in the names of a bucket's objects.
import { nameOf } from "../fault.mjs";

/** The numbers of the archive's objects among these names, ascending. Other names belong to other uses of the bucket. */
export function numbersOf(names) {
  const numbers = names.map((name) => Number(/^audit\/(\d{10})\.ndjson$/.exec(name)?.[1] ?? 0));
  return numbers.filter((number, index) => number > 0 && nameOf(number) === names[index]).sort((a, b) => a - b);
}
