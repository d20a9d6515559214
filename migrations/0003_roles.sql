-- Universities, departments, roles in them, courses and enrolments.
--
-- References have no cascades: a deletion of an unknown number of rows needs statements of its own. Ids are never
-- reused (AUTOINCREMENT), so that a link to a deleted row cannot lead to a new one.

CREATE TABLE universities (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    slug TEXT NOT NULL UNIQUE CHECK (length(slug) BETWEEN 1 AND 63),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE departments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    university_id INTEGER NOT NULL REFERENCES universities (id),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    created_at INTEGER NOT NULL,
    UNIQUE (university_id, name),
    -- Target of foreign keys: other tables refer to a department together with its university.
    UNIQUE (university_id, id)
) STRICT;

-- A role of a user in a university, optionally narrowed to a department; `PLATFORM_ADMIN` has neither.
CREATE TABLE user_university_roles (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id),
    university_id INTEGER REFERENCES universities (id),
    role TEXT NOT NULL CHECK (
        role IN ('STUDENT', 'TA', 'INSTRUCTOR', 'DEPARTMENT_ADMIN', 'UNIVERSITY_ADMIN', 'PLATFORM_ADMIN')
    ),
    department_id INTEGER,
    created_at INTEGER NOT NULL,
    FOREIGN KEY (university_id, department_id) REFERENCES departments (university_id, id),
    CHECK ((role = 'PLATFORM_ADMIN') = (university_id IS NULL)),
    CHECK (role <> 'DEPARTMENT_ADMIN' OR department_id IS NOT NULL),
    CHECK (department_id IS NULL OR role NOT IN ('UNIVERSITY_ADMIN', 'PLATFORM_ADMIN'))
) STRICT;

-- No duplicate grant; also the index by which each request reads the grants of its user.
CREATE UNIQUE INDEX roles_once ON user_university_roles
    (user_id, coalesce(university_id, 0), role, coalesce(department_id, 0));
-- All grants in a university, and in a department of it.
CREATE INDEX roles_by_university ON user_university_roles (university_id);
CREATE INDEX roles_by_department ON user_university_roles (university_id, department_id);
-- Finds the other administrators: is this the last one?
CREATE INDEX roles_by_role ON user_university_roles (role, university_id);

CREATE TABLE courses (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    university_id INTEGER NOT NULL REFERENCES universities (id),
    department_id INTEGER,
    title TEXT NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    code TEXT NOT NULL CHECK (length(code) BETWEEN 1 AND 32),
    is_public INTEGER NOT NULL CHECK (is_public IN (0, 1)),
    created_at INTEGER NOT NULL,
    FOREIGN KEY (university_id, department_id) REFERENCES departments (university_id, id),
    UNIQUE (university_id, code)
) STRICT;

CREATE INDEX courses_by_university ON courses (university_id);
CREATE INDEX courses_by_department ON courses (university_id, department_id);
CREATE INDEX courses_public ON courses (id) WHERE is_public = 1;

CREATE TABLE enrollments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    course_id INTEGER NOT NULL REFERENCES courses (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    UNIQUE (user_id, course_id)
) STRICT;

CREATE INDEX enrollments_by_course ON enrollments (course_id);

-- The acting user, if it was not the subject, and the university.
ALTER TABLE audit_events ADD COLUMN actor_id INTEGER;
ALTER TABLE audit_events ADD COLUMN university_id INTEGER;

-- Administrators read by type. Refreshes are most of all events, and no query needs them across all users.
CREATE INDEX audit_events_by_type ON audit_events (type) WHERE type <> 'refreshed';

-- Nor for one user, whose refreshes may outnumber all other events.
CREATE INDEX audit_events_by_user_and_type ON audit_events (user_id, type) WHERE type <> 'refreshed';

-- Events by acting administrator, for the erasure of that administrator.
CREATE INDEX audit_events_by_actor ON audit_events (actor_id) WHERE actor_id IS NOT NULL;

-- Administrators filter users by disabled accounts.
CREATE INDEX users_inactive ON users (id) WHERE is_active = 0;
