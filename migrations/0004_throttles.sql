-- One table of throttles, and one rule for the events of erased accounts.

-- An event may be written after its subject or actor was erased, by a request that read the account before. It keeps
-- that something happened, and nothing personal. This rule holds for every INSERT, whatever statement writes it.
-- On one line, because tools that split files into statements differ about the semicolons within a trigger.
CREATE TRIGGER audit_events_of_erased_accounts AFTER INSERT ON audit_events WHEN (NEW.user_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id AND erasure_cursor IS NULL)) OR (NEW.actor_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.actor_id AND erasure_cursor IS NULL)) BEGIN UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = '' WHERE id = NEW.id; END;

-- Failed attempts in a row, and the moment until which even a correct attempt is refused. Keys:
--   user/<id>/password            passwords at sign-in
--   user/<id>/reauthentication    passwords that a signed-in user is asked for again
--   unknown/<slot>                sign-ins to addresses without an account, slots 0 to 1023
-- A missing row is a counter at zero. A user has two rows at most and the number of slots is fixed, so strangers cannot
-- grow the table beyond the number of accounts.
CREATE TABLE throttles (
    key TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO throttles (key, failures, blocked_until)
SELECT 'user/' || id || '/password', failed_sign_ins, blocked_until FROM users
WHERE erasure_cursor IS NULL AND (failed_sign_ins > 0 OR blocked_until > 0);

INSERT INTO throttles (key, failures, blocked_until)
SELECT 'user/' || id || '/reauthentication', failed_proofs, proofs_blocked_until FROM users
WHERE erasure_cursor IS NULL AND (failed_proofs > 0 OR proofs_blocked_until > 0);

INSERT INTO throttles (key, failures, blocked_until)
SELECT 'unknown/' || slot, failed_sign_ins, blocked_until FROM unknown_sign_ins
WHERE failed_sign_ins > 0 OR blocked_until > 0;

-- The columns and the table that these rows came from stay for one release: the previous version of the Worker serves
-- requests between this migration and its replacement, and after a rollback. Each version counts for itself. So during a
-- deployment an attacker gains at most the free failures of one more counter, and a rollback finds the counters of before.
