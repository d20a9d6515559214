-- Users imported from another system. Only columns, an index and a trigger are added, which the previous version
-- does not know.

-- The importer: 'service/' or 'user/' with the id of the service account or of the administrator.
ALTER TABLE users ADD COLUMN imported_by TEXT;
-- The id in the other system, unique per importer.
ALTER TABLE users ADD COLUMN external_id TEXT;
-- Drawn for the line that made the account. It is removed with the first sign-in: until then the importer may change the
-- name.
ALTER TABLE users ADD COLUMN import_id INTEGER;

CREATE UNIQUE INDEX users_by_external_id ON users (imported_by, external_id) WHERE external_id IS NOT NULL;

CREATE TRIGGER imported_users_sign_in AFTER INSERT ON sessions
BEGIN
    UPDATE users SET import_id = NULL WHERE id = new.user_id AND import_id IS NOT NULL;
END;
