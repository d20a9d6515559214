-- Invitations: roles that wait for a proof of an address. Only a table is added, which the previous version does not know.

-- A role in a university, for the owner of an address. Its link follows from the id and a key, and is not stored. It belongs
-- to the university, not to an account, and ends after 7 days.
CREATE TABLE invitations (
    id INTEGER PRIMARY KEY,
    university_id INTEGER NOT NULL REFERENCES universities (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    department_id INTEGER,
    -- The user whose right to grant the role decides at the acceptance. The row may outlive the user.
    invited_by INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The latest mail, and its moment. Without mail, the link is handed over.
    mail_id INTEGER,
    sent_at INTEGER NOT NULL,
    -- The latest request that made the invitation, or made it again.
    nonce INTEGER NOT NULL,
    FOREIGN KEY (university_id, department_id) REFERENCES departments (university_id, id) ON DELETE CASCADE
) STRICT;

-- The same invitation again is the same row.
CREATE UNIQUE INDEX invitations_once ON invitations (email, university_id, role, coalesce(department_id, 0));
CREATE INDEX invitations_of_university ON invitations (university_id, id);
-- For the deletion of a department.
CREATE INDEX invitations_of_department ON invitations (university_id, department_id) WHERE department_id IS NOT NULL;
CREATE INDEX invitations_by_end ON invitations (expires_at);

INSERT INTO clean_up_positions (walk) VALUES ('invitations');
