-- The heartbeat by which a replica of the database tells how far it is behind the primary.

-- One row, written every minute where reads are replicated.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- The time of the latest beat, in milliseconds since 1970.
    beat_at INTEGER NOT NULL
) STRICT;
