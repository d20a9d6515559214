-- Sign-in with other providers: identities of users, and flows that were used. Only tables are added, which the previous
-- version does not know.

-- A user's account at another provider. Issuer and subject identify it (OpenID Connect Core 1.0 §2); the address may change.
CREATE TABLE identities (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The id of the provider in the settings.
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- As the provider said it when the identity was linked. It decides nothing.
    email TEXT,
    created_at INTEGER NOT NULL,
    -- A reset by mail suspends a young identity until its owner confirms it.
    suspended_at INTEGER
) STRICT;

CREATE UNIQUE INDEX identities_by_subject ON identities (issuer, subject);
CREATE INDEX identities_of_user ON identities (user_id);

-- Flows are signed, and stored only with their first use: by the callback, and by the exchange. A row lives for minutes.
CREATE TABLE used_flows (
    id INTEGER PRIMARY KEY,
    -- The request that came back from the provider.
    returned_by INTEGER,
    -- The request that exchanged the code.
    redeemed_by INTEGER,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX used_flows_by_end ON used_flows (expires_at);

INSERT INTO clean_up_positions (walk) VALUES ('used_flows');

-- An account whose address is proven by another way than its password gets empty: its identities may be those of a stranger.
CREATE TRIGGER identities_of_emptied_accounts AFTER UPDATE OF password_version ON users
WHEN old.email_verified_at IS NULL AND new.email_verified_at IS NOT NULL
BEGIN
    DELETE FROM identities WHERE user_id = new.id;
END;
