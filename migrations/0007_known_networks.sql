-- The throttle of an account counts by network. Known networks and devices have counters of their own. Keys:
--   user/<id>/known/<place>       known networks and devices, places 00 to 19, numbered without gaps
--   user/<id>/unknown/<slot>      all other networks, slots 00 to 31
--   user/<id>/reauthentication    passwords that a signed-in user is asked for again
--   unknown/<number>/unknown/<slot>   sign-ins to addresses without an account, numbers 0 to 1023
-- So a user has 53 rows at most, and all addresses without an account together have 32,768 at most.

-- A keyed hash of the network, or the id of the device: never an address.
ALTER TABLE throttles ADD COLUMN tag TEXT;
-- Failures since the last day without one. They determine the wait; `failures` counts towards the limit of 100.
ALTER TABLE throttles ADD COLUMN recent_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE throttles ADD COLUMN failed_at INTEGER NOT NULL DEFAULT 0;
-- The end of the wait of all unknown networks of the account, as this slot's failures caused it.
ALTER TABLE throttles ADD COLUMN closed_until INTEGER NOT NULL DEFAULT 0;
-- The last sign-in from a known network, at most a day old when it was written.
ALTER TABLE throttles ADD COLUMN signed_in_at INTEGER;

-- The network of the registration, as in `tag`: known without a row, which would be one more write per registration.
ALTER TABLE users ADD COLUMN registered_network TEXT;

UPDATE throttles SET recent_failures = failures, failed_at = blocked_until WHERE key LIKE 'user/%/reauthentication';

-- The previous version of the Worker keeps its rows `user/<id>/password` and `unknown/<slot>` for one release: it serves
-- requests between this migration and its replacement, and after a rollback. Each version counts for itself. So during a
-- deployment an attacker gains at most the free failures of one more set of counters.
