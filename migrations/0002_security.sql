-- Where sessions are used from, limits on guessing, audit events, and what cleaning up needs.
--
-- `sessions` and `refresh_tokens` are written anew, because SQLite cannot change the constraints of a table. The
-- child table goes first: dropping a table deletes its rows, and that must not reach rows that were copied.

-- Grows with every change of the password, not when a hash is only replaced by a stronger one: whoever proved the
-- old password cannot open a session with that proof afterwards.
ALTER TABLE users ADD COLUMN password_version INTEGER NOT NULL DEFAULT 1;
-- Wrong passwords in a row, and until when even the right one is refused.
ALTER TABLE users ADD COLUMN failed_sign_ins INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN blocked_until INTEGER NOT NULL DEFAULT 0;
-- The same for passwords that somebody who is signed in is asked for once more: guesses at the door must not keep the
-- owner from changing the password, nor guesses with a stolen token keep them out.
ALTER TABLE users ADD COLUMN failed_proofs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN proofs_blocked_until INTEGER NOT NULL DEFAULT 0;
-- Not null: the user was erased, and nothing personal is left in this row. It stays until the rows that point to
-- it are gone, a bounded number at a time; audit events up to this id have been stripped.
ALTER TABLE users ADD COLUMN erasure_cursor INTEGER;

CREATE INDEX users_being_erased ON users (id) WHERE erasure_cursor IS NOT NULL;

CREATE TABLE sessions_next (
    -- Random, 53 bits: says nothing about how many sessions there are.
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 9007199254740991),
    -- No cascade: an erasure of any size must not hide behind one small statement.
    user_id INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    -- The absolute end, however often the session is refreshed.
    expires_at INTEGER NOT NULL CHECK (expires_at > created_at),
    -- When, from where and with what the session was last signed in to or refreshed.
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
    -- Revoked, because it was exchanged for its successor. Both columns are written together, once.
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

-- Of a user, the live ones (`ended_at` is null) in the order of their beginning, and all of them.
CREATE INDEX sessions_by_user ON sessions (user_id, ended_at, created_at);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
-- A session never has two tokens that can still be exchanged, whatever the code above it does.
CREATE UNIQUE INDEX refresh_tokens_one_live_per_session ON refresh_tokens (session_id) WHERE revoked_at IS NULL;

-- Wrong passwords for addresses without an account. A throttled account answers like any wrong password, so nobody
-- can read these; they are here so that an unknown address costs the same work as a known one. The number of rows is
-- fixed: strangers type as many addresses as they like, and several share a row.
CREATE TABLE unknown_sign_ins (
    slot INTEGER PRIMARY KEY CHECK (slot BETWEEN 0 AND 1023),
    failed_sign_ins INTEGER NOT NULL DEFAULT 0,
    blocked_until INTEGER NOT NULL DEFAULT 0
) STRICT;

WITH RECURSIVE slots (slot) AS (SELECT 0 UNION ALL SELECT slot + 1 FROM slots WHERE slot < 1023)
INSERT INTO unknown_sign_ins (slot) SELECT slot FROM slots;

-- Registrations per client address (IPv6: per /64) within a window. Rows of past windows are cleaned up.
CREATE TABLE registration_counts (
    network TEXT PRIMARY KEY,
    window_started_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX registration_counts_by_window ON registration_counts (window_started_at);

-- What happened to whom. `user_id` and `session_id` point to rows that may be gone: an event outlives its user, with
-- the id only. The types are those of `src/domain/audit.rs`. Ids grow with time.
CREATE TABLE audit_events (
    id INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    type TEXT NOT NULL,
    -- Why it was refused, or how it came about.
    reason TEXT,
    user_id INTEGER,
    session_id INTEGER,
    ip TEXT,
    user_agent TEXT,
    request_id TEXT NOT NULL
) STRICT;

-- A user's events, newest first: the export, the erasure, and administrators.
CREATE INDEX audit_events_by_user ON audit_events (user_id);

-- How far each of the clean-up's walks has come: it goes on there. Empty: at the beginning, or just come to the end.
CREATE TABLE clean_up_positions (
    walk TEXT PRIMARY KEY,
    -- The last key that was looked at, and the one before the step that did.
    position TEXT NOT NULL DEFAULT '',
    previous TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

INSERT INTO clean_up_positions (walk) VALUES ('refresh_tokens'), ('sessions');
