"""Tables of the index, and what later releases added to them."""

from typing import Final

VERSION: Final = 4
"""Of the tables below, and of what is in them. 4: messages carry a checksum, laps a digest. A column more is
no new version: a writer adds it, and readers do without it until then.
"""

TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE loss (lap TEXT PRIMARY KEY, why TEXT NOT NULL);
CREATE TABLE session (
    name TEXT PRIMARY KEY, track TEXT NOT NULL, kind INTEGER NOT NULL, source INTEGER NOT NULL,
    start_ns INTEGER NOT NULL, message BLOB NOT NULL
);
CREATE INDEX session_by_start ON session (start_ns, name);

-- Who drove what, where: what the laps of one car and driver in a session have in common. Forty rows a
-- session, so a text is searched in 4000 rows where there are 100,000 laps. Texts are in lower case.
CREATE TABLE seat (
    id INTEGER PRIMARY KEY, session TEXT NOT NULL, car INTEGER NOT NULL, driver TEXT NOT NULL,
    vehicle TEXT NOT NULL, class TEXT NOT NULL, track TEXT NOT NULL,
    laps INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (session, car, driver, vehicle, class, track)
);

-- Numbers alone, because rows are searched; the message is beside them. A time that is absent is infinite.
CREATE TABLE lap (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, seat INTEGER NOT NULL, kind INTEGER NOT NULL,
    number INTEGER NOT NULL, start_ns INTEGER NOT NULL, lap_time REAL NOT NULL, sector1 REAL NOT NULL,
    sector2 REAL NOT NULL, sector3 REAL NOT NULL, place INTEGER NOT NULL, valid INTEGER NOT NULL,
    complete INTEGER NOT NULL, pinned INTEGER NOT NULL, damaged INTEGER NOT NULL, player INTEGER NOT NULL,
    synced INTEGER NOT NULL, counted INTEGER NOT NULL, bytes INTEGER NOT NULL
);
CREATE INDEX lap_by_start ON lap (start_ns, name);
CREATE INDEX lap_by_time ON lap (lap_time, name);
CREATE INDEX lap_by_seat ON lap (seat, start_ns);
CREATE INDEX lap_by_rank ON lap (seat, lap_time, start_ns, name) WHERE counted;
CREATE TABLE message (lap INTEGER PRIMARY KEY, lap_message BLOB NOT NULL);

CREATE TRIGGER lap_came AFTER INSERT ON lap BEGIN
    UPDATE seat SET laps = laps + 1, bytes = bytes + new.bytes WHERE id = new.seat;
END;
CREATE TRIGGER lap_went AFTER DELETE ON lap BEGIN
    DELETE FROM message WHERE lap = old.id;
    UPDATE seat SET laps = laps - 1, bytes = bytes - old.bytes WHERE id = old.seat;
    DELETE FROM seat WHERE id = old.seat AND laps = 0;
END;
"""

ADDED: Final = {
    "user": """
ALTER TABLE lap ADD COLUMN user TEXT NOT NULL DEFAULT '';
CREATE INDEX lap_by_user ON lap (user, seat) WHERE user <> '';
""",
    "corners": """
ALTER TABLE lap ADD COLUMN corners INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lap ADD COLUMN corners_bytes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX lap_by_corners ON lap (seat, corners, corners_bytes) WHERE corners_bytes;
""",
}
"""Columns of `lap` since release 0.2, by which their step is known to be done. Whose laps they are; corners
that are kept beside laps, whose sums are taken from the index alone.
"""
