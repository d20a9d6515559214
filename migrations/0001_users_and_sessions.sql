-- Users, their sessions, and the refresh tokens of each session.
--
-- Times are milliseconds since the Unix epoch, UTC. All tables are STRICT: SQLite then refuses a value of
-- the wrong type instead of storing it. Nothing stored here can be presented as a token or a password: tokens
-- are signed with a secret that the database does not hold, and passwords are stored as hashes in PHC strings.

CREATE TABLE users (
    -- AUTOINCREMENT: the id of an erased user is never reused, so that an old token cannot authenticate a new
    -- user.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Trimmed, NFC, lower-cased by the service; the constraint decides concurrent registrations.
    email TEXT NOT NULL UNIQUE CHECK (length(email) BETWEEN 3 AND 254),
    password_hash TEXT NOT NULL,
    full_name TEXT,
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

-- Each login starts a session.
CREATE TABLE sessions (
    -- Random, 53 bits: does not reveal the number of sessions.
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 9007199254740991),
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    -- The absolute end, regardless of refreshes.
    expires_at INTEGER NOT NULL CHECK (expires_at > created_at),
    -- Signed out, or ended because one of its tokens was used twice.
    ended_at INTEGER,
    end_reason TEXT CHECK (end_reason IN ('logout', 'reuse')),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE refresh_tokens (
    -- The `jti` claim: 128 random bits as hex.
    jti TEXT PRIMARY KEY CHECK (length(jti) = 32),
    session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- Revoked when it was exchanged for its successor. Both columns are written together, once.
    revoked_at INTEGER,
    successor_jti TEXT UNIQUE,
    CHECK ((revoked_at IS NULL) = (successor_jti IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id);

-- A session never has two tokens that can still be exchanged: the schema enforces it independently of the code.
CREATE UNIQUE INDEX refresh_tokens_one_live_per_session ON refresh_tokens (session_id) WHERE revoked_at IS NULL;
