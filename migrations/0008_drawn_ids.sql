-- Ids that the Worker draws before it writes, so that a batch can be repeated after a lost answer; and refusals that are
-- counted instead of listed one by one. No index is added and no table is rebuilt.

-- A random number of the request that wrote the row, or counted the latest refusal. With the id it says whether a batch
-- has been executed already. NULL for events of earlier versions.
ALTER TABLE audit_events ADD COLUMN nonce INTEGER;
-- Refusals of one kind, for one user or none, from one network, within one hour are one row: their number, and the time
-- of the latest. `created_at` is the time of the first; address, user agent and request are those of the first too. For
-- `sessions_ended`, the number of usable sessions that ended. NULL counts as one.
ALTER TABLE audit_events ADD COLUMN count INTEGER;
ALTER TABLE audit_events ADD COLUMN last_at INTEGER;
-- A keyed hash of kind, user and network. The ids of such rows are at the beginning of their hour, in places that
-- `src/domain/event_keys.rs` defines, so they are found by id. NULL for all other events.
ALTER TABLE audit_events ADD COLUMN refusal_tag INTEGER;

-- The request that added the row, or counted last: presence of the number says that its batch was executed.
ALTER TABLE user_university_roles ADD COLUMN nonce INTEGER;
ALTER TABLE universities ADD COLUMN nonce INTEGER;
ALTER TABLE departments ADD COLUMN nonce INTEGER;
ALTER TABLE courses ADD COLUMN nonce INTEGER;
ALTER TABLE enrollments ADD COLUMN nonce INTEGER;
ALTER TABLE throttles ADD COLUMN nonce INTEGER;
ALTER TABLE registration_counts ADD COLUMN nonce INTEGER;

-- The latest step of each walk, and the number of rows that it removed.
ALTER TABLE clean_up_positions ADD COLUMN nonce INTEGER;
ALTER TABLE clean_up_positions ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
INSERT INTO clean_up_positions (walk) VALUES ('audit_events');

-- The latest deletions of rows that leave no event: a request's number, in one of 256 places.
CREATE TABLE deletion_marks (
    place INTEGER PRIMARY KEY CHECK (place BETWEEN 0 AND 255),
    nonce INTEGER
) STRICT;

WITH RECURSIVE places (place) AS (SELECT 0 UNION ALL SELECT place + 1 FROM places WHERE place < 255)
INSERT INTO deletion_marks (place) SELECT place FROM places;
