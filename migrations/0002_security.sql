-- Address and user agent of sessions, throttles against guessing, audit events, and the state of the clean-up.
--
-- `sessions` and `refresh_tokens` are rebuilt, because SQLite cannot change the constraints of a table. The child
-- table is dropped first: dropping a table deletes its rows, and that must not cascade to the copied rows.

-- Incremented by every change of the password, but not when a stronger hash replaces the stored one. A request that
-- verified the old password cannot open a session after the change.
ALTER TABLE users ADD COLUMN password_version INTEGER NOT NULL DEFAULT 1;
-- Wrong passwords in a row, and the time until which even the correct one is refused.
ALTER TABLE users ADD COLUMN failed_sign_ins INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN blocked_until INTEGER NOT NULL DEFAULT 0;
-- The same counters for re-authentication. Failed sign-ins must not stop the owner from changing the password, and
-- guesses with a stolen access token must not block sign-ins.
ALTER TABLE users ADD COLUMN failed_proofs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN proofs_blocked_until INTEGER NOT NULL DEFAULT 0;
-- Not null: the user was erased, and this row holds no personal data. It stays until the rows that refer to it are
-- removed, a bounded number per step. Audit events up to this id have been stripped of personal data.
ALTER TABLE users ADD COLUMN erasure_cursor INTEGER;

CREATE INDEX users_being_erased ON users (id) WHERE erasure_cursor IS NOT NULL;

CREATE TABLE sessions_next (
    -- Random, 53 bits: does not reveal the number of sessions.
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 9007199254740991),
    -- No cascade: it would let one small statement delete an unbounded number of rows.
    user_id INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    -- The absolute end, regardless of refreshes.
    expires_at INTEGER NOT NULL CHECK (expires_at > created_at),
    -- Time, address and user agent of the last login or refresh.
    last_used_at INTEGER NOT NULL,
    ip TEXT,
    user_agent TEXT,
    ended_at INTEGER,
    end_reason TEXT CHECK (
        end_reason IN ('logout', 'logout_all', 'revoked', 'password_changed', 'limit', 'reuse', 'administrator')
    ),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

INSERT INTO sessions_next (id, user_id, created_at, expires_at, last_used_at, ended_at, end_reason)
SELECT s.id, s.user_id, s.created_at, s.expires_at,
       coalesce((SELECT max(t.created_at) FROM refresh_tokens AS t WHERE t.session_id = s.id), s.created_at),
       s.ended_at, s.end_reason
FROM sessions AS s;

CREATE TABLE refresh_tokens_next (
    -- The `jti` claim: 128 random bits as hex.
    jti TEXT PRIMARY KEY CHECK (length(jti) = 32),
    session_id INTEGER NOT NULL REFERENCES sessions_next (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- Revoked when it was exchanged for its successor. Both columns are written together, once.
    revoked_at INTEGER,
    successor_jti TEXT UNIQUE,
    CHECK ((revoked_at IS NULL) = (successor_jti IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO refresh_tokens_next (jti, session_id, created_at, expires_at, revoked_at, successor_jti)
SELECT jti, session_id, created_at, expires_at, revoked_at, successor_jti FROM refresh_tokens;

DROP TABLE refresh_tokens;
DROP TABLE sessions;
ALTER TABLE sessions_next RENAME TO sessions;
ALTER TABLE refresh_tokens_next RENAME TO refresh_tokens;

-- The live sessions of a user (`ended_at` is null) by creation time, and all sessions of a user.
CREATE INDEX sessions_by_user ON sessions (user_id, ended_at, created_at);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
-- A session never has two tokens that can still be exchanged: the schema enforces it independently of the code.
CREATE UNIQUE INDEX refresh_tokens_one_live_per_session ON refresh_tokens (session_id) WHERE revoked_at IS NULL;

-- Wrong passwords for addresses without an account. Clients cannot observe these counters, since a throttled account
-- responds like any wrong password. They exist so that an unknown address costs the same work as a known one. The
-- number of rows is fixed, and addresses share them: attackers can try any number of addresses.
CREATE TABLE unknown_sign_ins (
    slot INTEGER PRIMARY KEY CHECK (slot BETWEEN 0 AND 1023),
    failed_sign_ins INTEGER NOT NULL DEFAULT 0,
    blocked_until INTEGER NOT NULL DEFAULT 0
) STRICT;

WITH RECURSIVE slots (slot) AS (SELECT 0 UNION ALL SELECT slot + 1 FROM slots WHERE slot < 1023)
INSERT INTO unknown_sign_ins (slot) SELECT slot FROM slots;

-- Registrations per client address (IPv6: per /64) within a window. The clean-up removes rows of past windows.
CREATE TABLE registration_counts (
    network TEXT PRIMARY KEY,
    window_started_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX registration_counts_by_window ON registration_counts (window_started_at);

-- Security events. `user_id` and `session_id` may refer to deleted rows: an event outlives its user and keeps only
-- the id. `src/domain/audit.rs` defines the types. Ids grow with time.
CREATE TABLE audit_events (
    id INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    type TEXT NOT NULL,
    -- The reason of a refusal, how the event came about, or the role that it concerns.
    reason TEXT,
    user_id INTEGER,
    session_id INTEGER,
    ip TEXT,
    user_agent TEXT,
    request_id TEXT NOT NULL
) STRICT;

-- A user's events, newest first: for the export, the erasure and administrators.
CREATE INDEX audit_events_by_user ON audit_events (user_id);

-- The position at which each walk of the clean-up continues. Empty: at the beginning, or the end was just reached.
CREATE TABLE clean_up_positions (
    walk TEXT PRIMARY KEY,
    -- The last key of the latest step, and the position before that step.
    position TEXT NOT NULL DEFAULT '',
    previous TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

INSERT INTO clean_up_positions (walk) VALUES ('refresh_tokens'), ('sessions');
