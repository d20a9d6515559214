-- The archive of audit events: its key, its register, and the salts of users. Only tables and a trigger are added, which the
-- previous version does not know.

-- The key of the archive, from its first object on. It never changes, so that one key verifies all objects.
CREATE TABLE audit_keys (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- The thumbprint of the public key (RFC 7638).
    kid TEXT NOT NULL,
    -- A JSON Web Key.
    public_key TEXT NOT NULL,
    -- Both encrypted with AES-256-GCM under keys that are derived from SECRET_KEY: the JSON Web Key that signs objects, and
    -- 32 random bytes, from which the keys of personal fields are derived.
    private_key TEXT NOT NULL,
    master_key TEXT NOT NULL,
    -- The id of that SECRET_KEY.
    encrypted_by TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- The objects in R2. The head is the row with the highest number. Objects before `first_kept` of the head are to be deleted.
CREATE TABLE audit_objects (
    object INTEGER PRIMARY KEY CHECK (object > 0),
    -- Of all bytes of the object, in hexadecimal.
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    -- The oldest object that the retention kept when this one was written.
    first_kept INTEGER NOT NULL CHECK (first_kept BETWEEN 1 AND object),
    events INTEGER NOT NULL CHECK (events >= 0),
    -- Events of all objects so far, those of deleted objects included.
    total INTEGER NOT NULL CHECK (total >= events),
    -- The time of the newest event; NULL for an object without events.
    newest_at INTEGER,
    made_at INTEGER NOT NULL,
    CHECK ((events = 0) = (newest_at IS NULL))
) STRICT;

-- A part of the key of a user's personal fields in the archive. Without it they cannot be read. It refers to a user whose
-- erasure has not begun; the trigger below sees to that, before the row of the user goes.
CREATE TABLE audit_salts (
    user_id INTEGER PRIMARY KEY,
    salt TEXT NOT NULL
) STRICT;

-- The erasure of an account begins with this marker, and its salt goes at once: no object can be changed any more.
CREATE TRIGGER audit_salts_of_erased_accounts AFTER UPDATE OF erasure_cursor ON users
WHEN new.erasure_cursor IS NOT NULL
BEGIN
    DELETE FROM audit_salts WHERE user_id = new.id;
END;
