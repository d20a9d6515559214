-- Reads that do not grow with rows that were dealt with before.

-- The erasure of an administrator strips the personal data of the administrator's acts, step by step. The index contains
-- only acts that are not stripped, so each step finds the next ones without passing over those of earlier steps.
DROP INDEX audit_events_by_actor;
CREATE INDEX audit_events_by_actor ON audit_events (actor_id) WHERE actor_id IS NOT NULL AND request_id <> '';

-- The erased user at which the latest run of the clean-up stopped. The next run begins behind it.
INSERT INTO clean_up_positions (walk) VALUES ('erasures');
