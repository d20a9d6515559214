-- Key pairs that sign access tokens, and the ring that they belong to.

-- One row, from the first key or the first change of the algorithm on. Without it, SECRET_KEY signs access tokens.
CREATE TABLE key_ring (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- Increases with every change; each request with a token reads it.
    version INTEGER NOT NULL,
    -- Drawn by the change that made this version, so that a batch that is executed twice finds its own change.
    nonce INTEGER NOT NULL,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('HS256', 'EdDSA', 'ES256')),
    -- The time at which HS256 stopped being the algorithm, in milliseconds since 1970.
    hs256_ended_at INTEGER
) STRICT;

CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('EdDSA', 'ES256')),
    state TEXT NOT NULL CHECK (state IN ('next', 'current', 'retired', 'revoked')),
    -- A JSON Web Key; empty once the key is revoked.
    public_key TEXT NOT NULL,
    -- A JSON Web Key, encrypted with AES-256-GCM under a key that is derived from SECRET_KEY.
    private_key TEXT,
    -- The id of that SECRET_KEY.
    encrypted_by TEXT,
    created_at INTEGER NOT NULL,
    activated_at INTEGER,
    ended_at INTEGER,
    CHECK ((state IN ('next', 'current')) = (private_key IS NOT NULL)),
    CHECK ((private_key IS NULL) = (encrypted_by IS NULL)),
    CHECK ((state IN ('retired', 'revoked')) = (ended_at IS NOT NULL))
) STRICT;

-- At most one key is next, and at most one is current, however many isolates make keys at once.
CREATE UNIQUE INDEX signing_keys_in_use ON signing_keys (state) WHERE state IN ('next', 'current');
