// Chooses where the objects are read from. A source is `{get(number, last), numbers(), close()}`.
import { refuseMissing } from "../../database.mjs";
import { configuredBucket } from "./configured.mjs";
import { Folder } from "./folder.mjs";
import { LocalBucket } from "./local-bucket.mjs";
import { NoBucket } from "./no-bucket.mjs";
import { RemoteBucket } from "./remote-bucket.mjs";

/** The folder FROM=, or the bucket that belongs to the database. */
export async function openSource(from, database) {
  if (from !== "") {
    return new Folder(from);
  }
  refuseMissing(database);
  const bucket = await configuredBucket(database);
  if (bucket === undefined) {
    return new NoBucket();
  }
  return database.environment ? new RemoteBucket(database.environment, bucket) : LocalBucket.open(database.state, bucket.name);
}
