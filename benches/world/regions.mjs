// The regions of `make bench-world`, by the places that they reach: round trips in milliseconds.

export const REGIONS = {
  /** Beside the primary. */
  home: { primary: 5, east: 60, west: 60 },
  /** On another continent, with a replica near by. */
  replica: { primary: 180, east: 8 },
  /** On another continent, without one. */
  remote: { primary: 240, west: 90 },
};

/** Milliseconds after which a replica has a change. */
export const LAG_MS = 300;
