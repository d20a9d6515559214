// The bucket of the archive, as wrangler.toml names it.
const BINDING = "ARCHIVE";

/** The name of the bucket, and its jurisdiction if it has one; `undefined` without a bucket. */
export async function configuredBucket({ environment }) {
  // Loading wrangler takes a second, which checks of a folder are spared.
  const { experimental_readRawConfig: readConfig } = await import("wrangler");
  const { rawConfig } = readConfig({ config: "wrangler.toml" });
  const isTop = !environment || environment === "top-level";
  const { r2_buckets: buckets = [] } = isTop ? rawConfig : (rawConfig.env?.[environment] ?? {});
  const bucket = buckets.find(({ binding }) => binding === BINDING);
  return bucket && { name: bucket.bucket_name ?? BINDING, jurisdiction: bucket.jurisdiction };
}
