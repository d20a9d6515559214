-- Audit events of acts of administrators and operators, and the edge's own id of their requests.

-- The edge's id of the request (`CF-Ray`). The client may choose `request_id`, but not this one. NULL for events of earlier
-- versions, and where there is no edge.
ALTER TABLE audit_events ADD COLUMN ray TEXT;
-- The department of a `department_` event, the course of a `course_` or `enrollment_` event. The university has a column
-- of its own.
ALTER TABLE audit_events ADD COLUMN object_id INTEGER;

-- The trigger of 0004 clears the new id, too. The old one goes last, so that at no time there is none.
CREATE TRIGGER audit_events_without_personal_data AFTER INSERT ON audit_events WHEN (NEW.user_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id AND erasure_cursor IS NULL)) OR (NEW.actor_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.actor_id AND erasure_cursor IS NULL)) BEGIN UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = '', ray = NULL, refusal_tag = NULL WHERE id = NEW.id; END;
DROP TRIGGER audit_events_of_erased_accounts;

-- For one release: the previous version strips events of an erased account of the columns that it knows.
CREATE TRIGGER audit_events_stripped_by_previous_version AFTER UPDATE OF request_id ON audit_events WHEN NEW.request_id = '' AND (NEW.ray IS NOT NULL OR NEW.refusal_tag IS NOT NULL) BEGIN UPDATE audit_events SET ray = NULL, refusal_tag = NULL WHERE id = NEW.id; END;
