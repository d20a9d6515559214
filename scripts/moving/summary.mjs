// The summary of an import, for its operator.

const counted = (count, one, many) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** The lines of the summary. */
export function summaryOf({ counts, refused, failed, report }, { isDryRun }) {
  const { created, exists, updated, costlier } = counts;
  const would = isDryRun ? "Would be created" : "Created";
  return [
    `${would}: ${created}. Existed already, unchanged: ${exists}. New full name: ${updated}. Refused: ${refused}.`,
    ...listOf(counts.refused),
    ...(failed > 0 ? [`Failed, though the service took other lines: ${failed}.`, ...listOf(counts.failed)] : []),
    ...(refused + failed > 0 ? [`${failed > 0 ? "These" : "The refused"} lines are in ${report}. docs/migrate.md says how to mend each code.`] : []),
    ...(costlier > 0 ? costlierOf(costlier) : []),
  ];
}

const listOf = (codes) => Object.entries(codes).map(([code, count]) => `  ${code}: ${count}`);

function costlierOf(costlier) {
  return [
    `${counted(costlier, "hash costs", "hashes cost")} more to verify than PASSWORD_HASH and PASSWORD_ITERATIONS say. Until the first sign-in of`,
    "such an account, an attacker that measures refused sign-ins can tell that it exists. Raise PASSWORD_ITERATIONS, or accept this.",
  ];
}
