// The failures of an import: of one line, which is refused, and of the whole import, which cannot go on.

/** A line that is not imported. The code is one of `docs/migrate.md`. */
export class Refusal extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** The import cannot go on; the message is for the operator. */
export class ImportFailure extends Error {}
