-- Steps of an erasure that do not pass over the rows of earlier steps, and take turns with other erasures.

-- The acts of an erased administrator up to this event have been stripped of personal data, like the events about the user
-- up to `erasure_cursor`. An erasure that the previous version began starts again with its acts.
ALTER TABLE users ADD COLUMN erased_acts_cursor INTEGER NOT NULL DEFAULT 0;

-- The erased user at which the latest run of the clean-up stopped. The next run begins behind it.
INSERT INTO clean_up_positions (walk) VALUES ('erasures');
