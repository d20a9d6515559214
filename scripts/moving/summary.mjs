// The summary of an import, for its operator.

const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** The lines of the summary. */
export function summaryOf({ counts, refused, report }, { isDryRun }) {
  const { created, exists, updated, costlier } = counts;
  const would = isDryRun ? "Would be created" : "Created";
  return [
    `${would}: ${created}. Existed already, unchanged: ${exists}. New full name: ${updated}. Refused: ${refused}.`,
    ...Object.entries(counts.refused).map(([code, count]) => `  ${code}: ${count}`),
    ...(refused > 0 ? [`The refused lines are in ${report}. docs/migrate.md says how to mend each code.`] : []),
    ...(costlier > 0 ? costlierOf(costlier) : []),
  ];
}

function costlierOf(costlier) {
  return [
    `${counted(costlier, "hash").replace(/hashs$/, "hashes")} cost more to verify than PASSWORD_HASH and PASSWORD_ITERATIONS say. Until the first sign-in of`,
    "such an account, an attacker that measures refused sign-ins can tell that it exists. Raise PASSWORD_ITERATIONS, or accept this.",
  ];
}
