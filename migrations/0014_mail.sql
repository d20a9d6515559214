-- Mail: proofs of addresses, the outbox, and the counts of mails that strangers asked for. Only tables and columns are
-- added, which the previous version does not know.

-- The moment at which the address was proven; of an account that is older than this table, none.
ALTER TABLE users ADD COLUMN email_verified_at INTEGER;
-- The moment at which a provider refused the address for good.
ALTER TABLE users ADD COLUMN mail_refused_at INTEGER;

-- A one-time proof of an address. Its link, its code and its flow follow from the id and a key; none is stored. A proof is
-- void once the account has another address; one that verifies it, also with another password. A request for an address without an account leaves a row without
-- a user, so that both requests are the same work.
CREATE TABLE email_proofs (
    id INTEGER PRIMARY KEY,
    purpose TEXT NOT NULL,
    user_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
    address TEXT,
    password_version INTEGER,
    -- 1 if the flow was given to a client that is the account's owner: that of its registration, or one with its token.
    is_of_owner INTEGER NOT NULL CHECK (is_of_owner IN (0, 1)),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    code_expires_at INTEGER NOT NULL,
    -- Wrong codes.
    failures INTEGER NOT NULL DEFAULT 0,
    -- The latest request whose wrong code was counted.
    nonce INTEGER,
    CHECK ((user_id IS NULL) = (address IS NULL) AND (user_id IS NULL) = (password_version IS NULL))
) STRICT;

-- Neither index is partial: a row without a user must cost the same.
CREATE INDEX email_proofs_of_user ON email_proofs (user_id);
CREATE INDEX email_proofs_by_end ON email_proofs (expires_at);

-- The outbox. A row is written in the batch that does the thing, and deleted once a provider has accepted or refused the
-- mail for good, or it is out of date. The text follows from the kind, the proof and the settings.
CREATE TABLE mails (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    user_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
    address TEXT,
    proof_id INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    -- The next attempt.
    due_at INTEGER NOT NULL,
    CHECK ((user_id IS NULL) = (address IS NULL))
) STRICT;

CREATE INDEX mails_of_user ON mails (user_id);
CREATE INDEX mails_by_due ON mails (due_at);

-- The notices of a user in a day. Further ones wait for its end, as one.
CREATE TABLE notice_counts (
    user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    window_started_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    -- The latest notice that was counted.
    mail_id INTEGER NOT NULL
) STRICT;

-- Counts of mails, by keyed hashes of the address and of the asking network, and of all. No row is written for a mail that a
-- count refused.
CREATE TABLE mail_counts (
    key TEXT PRIMARY KEY,
    window_started_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    -- The latest request that was counted.
    nonce INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO clean_up_positions (walk) VALUES ('email_proofs'), ('mails'), ('mail_counts');
