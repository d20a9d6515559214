-- The notice of an erased account has an address and no user, which a CHECK of the outbox forbade. The table is built anew with the same
-- columns; it holds the mails of the last minutes. The previous version writes and reads it as before.
CREATE TABLE mails_next (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    user_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
    address TEXT,
    proof_id INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    -- The next attempt.
    due_at INTEGER NOT NULL
) STRICT;

INSERT INTO mails_next (id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at)
SELECT id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at FROM mails;
DROP TABLE mails;
ALTER TABLE mails_next RENAME TO mails;

CREATE INDEX mails_of_user ON mails (user_id);
CREATE INDEX mails_by_due ON mails (due_at);
