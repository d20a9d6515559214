-- Sign-in by a mailed code, and registrations that wait for a proof of their address. Only tables and columns are added, which the
-- previous version does not know.

-- How the user signed in (RFC 8176); null for a password.
ALTER TABLE sessions ADD COLUMN method TEXT;

-- Registrations whose address is not proven yet, by the id of their proof. The proof makes the account, with the password of
-- the registration whose flow is beside it. A registration of an address that has an account leaves a row too, so that both
-- are the same work; that row makes no account.
CREATE TABLE registrations (
    id INTEGER PRIMARY KEY,
    address TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    full_name TEXT,
    -- The keyed hash of the network.
    network_tag TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- Wrong passwords at sign-ins with the address, with or without an account.
    failures INTEGER NOT NULL DEFAULT 0,
    -- The latest request that was counted.
    nonce INTEGER
) STRICT;

CREATE INDEX registrations_by_address ON registrations (address);
CREATE INDEX registrations_by_end ON registrations (expires_at);

INSERT INTO clean_up_positions (walk) VALUES ('registrations');
