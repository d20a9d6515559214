-- Sign-in by a mailed code. Only columns are added, which the previous version does not know.

-- How the user signed in (RFC 8176); null for a password.
ALTER TABLE sessions ADD COLUMN method TEXT;
