// A deployment without an archive has no objects: its events are in D1 alone.
import { AuditFailure } from "../fault.mjs";

export class NoBucket {
  /** Nothing, unless the register has objects. */
  async get(number, last = 0) {
    if (number <= last) {
      throw new AuditFailure("The register has objects, but wrangler.toml has no R2 bucket with the binding ARCHIVE (docs/audit.md).");
    }
    return undefined;
  }

  async numbers() {
    return [];
  }

  async close() {}
}
