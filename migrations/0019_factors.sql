-- Second factors: authenticator apps, recovery codes and passkeys. Only tables and columns are added, which the previous
-- version does not know.

-- The WebAuthn user handle: random, so an authenticator learns nothing of the account. Null until passkeys are asked for.
ALTER TABLE users ADD COLUMN passkey_handle TEXT;
-- False if no password matches the stored hash: the account was emptied, or taken back from a thief.
ALTER TABLE users ADD COLUMN has_password INTEGER NOT NULL DEFAULT 1 CHECK (has_password IN (0, 1));
-- The key was made in a session with more than one factor.
ALTER TABLE api_keys ADD COLUMN has_mfa INTEGER NOT NULL DEFAULT 0 CHECK (has_mfa IN (0, 1));

-- A change of address that was asked for with a second factor of some age: it cannot be undone.
ALTER TABLE email_proofs ADD COLUMN is_final INTEGER NOT NULL DEFAULT 0 CHECK (is_final IN (0, 1));

-- The secret of an authenticator app (RFC 6238): one that is confirmed, and one that waits for its first code.
CREATE TABLE totp_secrets (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_confirmed INTEGER NOT NULL CHECK (is_confirmed IN (0, 1)),
    -- Base32, encrypted with AES-256-GCM under a key that is derived from SECRET_KEY; the id is associated data.
    secret TEXT NOT NULL,
    -- The id of that SECRET_KEY.
    encrypted_by TEXT NOT NULL,
    -- The newest time step of which a code was used. Codes of it and of steps before are void.
    used_step INTEGER,
    created_at INTEGER NOT NULL,
    -- A reset by mail suspends a young factor until its owner confirms it.
    suspended_at INTEGER,
    -- The request that confirmed it.
    nonce INTEGER
) STRICT;

CREATE UNIQUE INDEX totp_secrets_of_user ON totp_secrets (user_id, is_confirmed);
CREATE INDEX totp_secrets_by_key ON totp_secrets (encrypted_by);

-- The unused recovery codes of a user: their SHA-256 as hex, with a blank behind each.
CREATE TABLE recovery_codes (
    user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    hashes TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Credentials of WebAuthn. `public_key` is a JSON Web Key.
CREATE TABLE passkeys (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- In base64url.
    credential_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('EdDSA', 'ES256', 'RS256')),
    public_key TEXT NOT NULL,
    sign_count INTEGER NOT NULL,
    -- A JSON list, for the browser.
    transports TEXT NOT NULL,
    is_backup_eligible INTEGER NOT NULL CHECK (is_backup_eligible IN (0, 1)),
    is_backed_up INTEGER NOT NULL CHECK (is_backed_up IN (0, 1)),
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    suspended_at INTEGER
) STRICT;

CREATE INDEX passkeys_of_user ON passkeys (user_id);

-- Challenges and sign-ins with a second factor: their ids are signed, and stored only with the first answer.
CREATE TABLE used_challenges (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Wrong answers.
    failures INTEGER NOT NULL DEFAULT 0,
    -- Set by the right answer, which is the last one.
    used_at INTEGER,
    expires_at INTEGER NOT NULL,
    -- The latest request that was counted.
    nonce INTEGER
) STRICT;

CREATE INDEX used_challenges_of_user ON used_challenges (user_id);
CREATE INDEX used_challenges_by_end ON used_challenges (expires_at);

INSERT INTO clean_up_positions (walk) VALUES ('used_challenges');

-- An account whose address is proven by another way than its password gets empty: its factors may be those of a
-- stranger. Every statement that empties an account sets a new password hash and proves the address.
CREATE TRIGGER factors_of_emptied_accounts AFTER UPDATE OF password_version ON users
WHEN old.email_verified_at IS NULL AND new.email_verified_at IS NOT NULL
BEGIN
    DELETE FROM totp_secrets WHERE user_id = new.id;
    DELETE FROM recovery_codes WHERE user_id = new.id;
    DELETE FROM passkeys WHERE user_id = new.id;
END;
