-- Removes the counters that migration 0004 replaced. The previous version of the Worker does not use them any more.

ALTER TABLE users DROP COLUMN failed_sign_ins;
ALTER TABLE users DROP COLUMN blocked_until;
ALTER TABLE users DROP COLUMN failed_proofs;
ALTER TABLE users DROP COLUMN proofs_blocked_until;
DROP TABLE unknown_sign_ins;

-- Counters of users that an earlier version erased while it did not know this table.
DELETE FROM throttles WHERE key LIKE 'user/%' AND NOT EXISTS (SELECT 1 FROM users WHERE id = CAST(substr(key, 6) AS INTEGER) AND erasure_cursor IS NULL);
