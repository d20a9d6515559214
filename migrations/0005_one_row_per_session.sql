-- A session is one row: it records its current refresh token and the id of the previous one.
--
-- Every refresh token is signed and names its session, so an older token needs no row: it is known to be old because it
-- is neither the current nor the previous one. A session that ends is deleted, and its audit event says how it ended.

-- The `jti` claim of the only refresh token that can be exchanged: 128 random bits as hex. It was issued at
-- `last_used_at`. No index contains these columns, so a refresh writes one row.
ALTER TABLE sessions ADD COLUMN refresh_id TEXT CHECK (length(refresh_id) = 32);
ALTER TABLE sessions ADD COLUMN refresh_expires_at INTEGER CHECK ((refresh_expires_at IS NULL) = (refresh_id IS NULL));
-- The token that was exchanged for the current one; null until the first refresh.
ALTER TABLE sessions ADD COLUMN previous_refresh_id TEXT CHECK (length(previous_refresh_id) = 32);

UPDATE sessions
SET (refresh_id, refresh_expires_at, last_used_at) = (
    SELECT t.jti, t.expires_at, t.created_at FROM refresh_tokens AS t
    WHERE t.session_id = sessions.id AND t.revoked_at IS NULL
)
WHERE ended_at IS NULL
  AND EXISTS (SELECT 1 FROM refresh_tokens AS t WHERE t.session_id = sessions.id AND t.revoked_at IS NULL);

UPDATE sessions
SET previous_refresh_id = (
    SELECT t.jti FROM refresh_tokens AS t
    WHERE t.session_id = sessions.id AND t.successor_jti = sessions.refresh_id
)
WHERE refresh_id IS NOT NULL;

DROP TABLE refresh_tokens;
DELETE FROM sessions WHERE ended_at IS NOT NULL;

-- All rows are live sessions now, so the index by which they are listed does not contain their end.
DROP INDEX sessions_by_user;
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);

-- The tokens as a table of their own, for operators that know the schema of the service that this one replaces. Of a
-- token that was exchanged, only its id is known.
CREATE VIEW refresh_tokens (jti, user_id, expires_at, revoked, created_at, session_id, revoked_at, successor_jti) AS
SELECT refresh_id, user_id, refresh_expires_at, 0, last_used_at, id, NULL, NULL
FROM sessions WHERE refresh_id IS NOT NULL
UNION ALL
SELECT previous_refresh_id, user_id, NULL, 1, NULL, id, last_used_at, refresh_id
FROM sessions WHERE previous_refresh_id IS NOT NULL;

-- For one release, the previous version of the Worker works on this schema: between this migration and its replacement,
-- and after a rollback. It writes tokens and marks sessions as ended; these triggers do the same to the session's row.
-- Two limits: each of its refreshes reads the whole view (0.1 s with 10,000 sessions, 2 s with 100,000), and it takes a
-- token that is older than the previous one for a revoked one, without ending the session. DEPLOY.md has the procedure.
-- Each stands on one line, because tools that split files into statements differ about the semicolons within a trigger.
CREATE TRIGGER refresh_tokens_insert INSTEAD OF INSERT ON refresh_tokens BEGIN SELECT RAISE(ABORT, 'refresh_tokens is a view of sessions') WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE id = NEW.session_id); UPDATE sessions SET refresh_id = NEW.jti, refresh_expires_at = NEW.expires_at, last_used_at = NEW.created_at WHERE id = NEW.session_id; END;
CREATE TRIGGER refresh_tokens_exchange INSTEAD OF UPDATE ON refresh_tokens BEGIN UPDATE sessions SET previous_refresh_id = OLD.jti, refresh_id = NEW.successor_jti, last_used_at = NEW.revoked_at WHERE id = OLD.session_id AND refresh_id = OLD.jti; END;
CREATE TRIGGER refresh_tokens_delete INSTEAD OF DELETE ON refresh_tokens WHEN OLD.revoked = 0 BEGIN DELETE FROM sessions WHERE id = OLD.session_id; END;
CREATE TRIGGER sessions_ended AFTER UPDATE OF ended_at ON sessions WHEN NEW.ended_at IS NOT NULL BEGIN DELETE FROM sessions WHERE id = NEW.id; END;

-- Fewer index entries per event. A list by type examines a bounded number of events per page, and only types that are
-- rare among all events have an index of their own.
DROP INDEX audit_events_by_type;
DROP INDEX audit_events_by_user_and_type;
CREATE INDEX audit_events_by_rare_type ON audit_events (type) WHERE type NOT IN ('registered', 'registration_refused', 'signed_in', 'sign_in_refused', 'refreshed', 'refresh_refused', 'signed_out', 'session_ended', 'password_change_refused', 'deletion_refused');

-- The clean-up walks over the counts in the order of their key, so that a registration writes one row less.
DROP INDEX registration_counts_by_window;
UPDATE clean_up_positions SET walk = 'registration_counts', position = '', previous = '' WHERE walk = 'refresh_tokens';
