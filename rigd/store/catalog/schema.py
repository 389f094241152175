"""The tables of the catalog, as steps from one version of the file to the next.

A table for each noun, named and with columns as its message in `catalog.proto`; a field that repeats is a
table of its own, `{noun}_{field}`. Names and references are whole names of resources, so that the file reads
in any program for SQLite. A step stays as it is once it is released.
"""

from typing import Final

APPLICATION: Final = 0x72696763
"""`PRAGMA application_id`: "rigc"."""

_FIRST: Final = """
CREATE TABLE resource (
    name TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    parent TEXT REFERENCES resource (name) ON DELETE CASCADE,
    root TEXT NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    owner TEXT REFERENCES resource (name),
    everyone INTEGER NOT NULL CHECK (everyone IN (0, 1)),
    alike TEXT,
    create_ns INTEGER NOT NULL,
    update_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX resource_by_name ON resource (kind, name);
CREATE INDEX resource_by_create ON resource (kind, create_ns, name);
CREATE INDEX resource_by_update ON resource (kind, update_ns, name);
CREATE INDEX resource_by_parent ON resource (parent, kind, name);
CREATE INDEX resource_by_root ON resource (root);
CREATE INDEX resource_by_owner ON resource (owner, kind, name);
-- Of two with the same, such as two tags with one word on one lap, the second is refused.
CREATE UNIQUE INDEX resource_alike ON resource (kind, ifnull(owner, ''), alike) WHERE alike IS NOT NULL;

CREATE TABLE share (
    resource TEXT NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    user TEXT NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    PRIMARY KEY (resource, user)
) STRICT;
CREATE INDEX share_by_user ON share (user, resource);

CREATE TABLE user (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE, title TEXT NOT NULL
) STRICT;
CREATE TABLE user_drivers (
    resource TEXT NOT NULL REFERENCES user (resource) ON DELETE CASCADE, position INTEGER NOT NULL,
    value TEXT NOT NULL UNIQUE, PRIMARY KEY (resource, position)
) STRICT;
CREATE TABLE car (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    vehicle TEXT NOT NULL, title TEXT NOT NULL, vehicle_class TEXT NOT NULL
) STRICT;
CREATE TABLE vehicle (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    title TEXT NOT NULL, vehicle_class TEXT NOT NULL, number TEXT NOT NULL, description TEXT NOT NULL,
    car TEXT REFERENCES car (resource)
) STRICT;
CREATE INDEX vehicle_by_car ON vehicle (car);
CREATE TABLE configuration (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    title TEXT NOT NULL, description TEXT NOT NULL
) STRICT;
CREATE TABLE configuration_parts (
    resource TEXT NOT NULL REFERENCES configuration (resource) ON DELETE CASCADE, position INTEGER NOT NULL,
    key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (resource, position), UNIQUE (resource, key)
) STRICT;
CREATE TABLE setup (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    title TEXT NOT NULL, description TEXT NOT NULL, configuration TEXT REFERENCES configuration (resource),
    file_name TEXT NOT NULL, source TEXT NOT NULL
) STRICT;
CREATE INDEX setup_by_configuration ON setup (configuration);
CREATE TABLE setup_parameters (
    resource TEXT NOT NULL REFERENCES setup (resource) ON DELETE CASCADE, position INTEGER NOT NULL,
    section TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, unit TEXT NOT NULL,
    PRIMARY KEY (resource, position), UNIQUE (resource, section, key)
) STRICT;
CREATE TABLE event (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    title TEXT NOT NULL, description TEXT NOT NULL, location TEXT NOT NULL,
    start_date TEXT NOT NULL, end_date TEXT NOT NULL
) STRICT;
CREATE TABLE event_session (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    session TEXT NOT NULL, title TEXT NOT NULL
) STRICT;
CREATE INDEX event_session_by_session ON event_session (session);
CREATE TABLE event_session_tags (
    resource TEXT NOT NULL REFERENCES event_session (resource) ON DELETE CASCADE, position INTEGER NOT NULL,
    value TEXT NOT NULL, PRIMARY KEY (resource, position), UNIQUE (resource, value)
) STRICT;
CREATE TABLE assignment (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    lap TEXT NOT NULL, setup TEXT NOT NULL REFERENCES setup (resource)
) STRICT;
CREATE INDEX assignment_by_lap ON assignment (lap);
CREATE INDEX assignment_by_setup ON assignment (setup);
CREATE TABLE note (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    target TEXT NOT NULL, text TEXT NOT NULL, place REAL
) STRICT;
CREATE INDEX note_by_target ON note (target);
CREATE TABLE tag (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    target TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE INDEX tag_by_target ON tag (target);
CREATE TABLE layout (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    title TEXT NOT NULL, kind TEXT NOT NULL, document TEXT NOT NULL CHECK (json_valid(document)),
    is_default INTEGER NOT NULL CHECK (is_default IN (0, 1))
) STRICT;
CREATE TABLE channel (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    channel TEXT NOT NULL, expression TEXT NOT NULL, unit TEXT NOT NULL, description TEXT NOT NULL
) STRICT;
CREATE TABLE conversation (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    title TEXT NOT NULL, lap TEXT NOT NULL
) STRICT;
CREATE INDEX conversation_by_lap ON conversation (lap);
CREATE TABLE message (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'tool')), text TEXT NOT NULL,
    time_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE message_finding_ids (
    resource TEXT NOT NULL REFERENCES message (resource) ON DELETE CASCADE, position INTEGER NOT NULL,
    value TEXT NOT NULL, PRIMARY KEY (resource, position), UNIQUE (resource, value)
) STRICT;
CREATE TABLE plan (
    resource TEXT PRIMARY KEY NOT NULL REFERENCES resource (name) ON DELETE CASCADE,
    title TEXT NOT NULL, conversation TEXT REFERENCES conversation (resource)
) STRICT;
CREATE INDEX plan_by_conversation ON plan (conversation);
CREATE TABLE plan_items (
    resource TEXT NOT NULL REFERENCES plan (resource) ON DELETE CASCADE, position INTEGER NOT NULL,
    id TEXT NOT NULL, kind TEXT NOT NULL, arguments TEXT NOT NULL, text TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'rejected', 'done', 'failed')),
    result TEXT NOT NULL, PRIMARY KEY (resource, position), UNIQUE (resource, id)
) STRICT;
"""

STEPS: tuple[str, ...] = (_FIRST,)
"""Step n makes version n out of version n - 1; 0 is an empty file."""
