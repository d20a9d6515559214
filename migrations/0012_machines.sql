-- Service accounts, and the API keys of users and of service accounts. Only tables are added, which the previous version
-- does not know.

-- A backend. `scopes` is a JSON list of names, in the order of `src/domain/machine/scope.rs`.
CREATE TABLE service_accounts (
    id INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- A key belongs to a user, with a JSON list of permissions, or to a service account, whose scopes are its rights.
-- `secret_hash` is a SHA-256 of the random secret, which is stored nowhere. A key that was withdrawn is deleted.
CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY,
    user_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
    service_account_id INTEGER REFERENCES service_accounts (id) ON DELETE CASCADE,
    name TEXT,
    permissions TEXT,
    secret_hash TEXT NOT NULL CHECK (length(secret_hash) = 64),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    CHECK ((user_id IS NULL) <> (service_account_id IS NULL)),
    CHECK ((user_id IS NULL) = (permissions IS NULL)),
    CHECK (user_id IS NULL OR name IS NOT NULL)
) STRICT;

CREATE INDEX api_keys_of_user ON api_keys (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX api_keys_of_service_account ON api_keys (service_account_id) WHERE service_account_id IS NOT NULL;
