"""Who looks at what is kept, and what there is for them: one rule, in Python and as conditions of the index.

Laps of the rig's own car belong to whoever was in the seat when they began. Laps of the other cars belong to
their session, and there are sessions for a user who has a lap in them, or is in the seat now.
"""

# ruff: noqa: S608  what is put into statements are words of this file; a user's name goes beside them

from typing import Final, NamedTuple

from rig.v1 import lap_pb2, laps_pb2
from rigd.store.where import Where

_MINE: Final = """
SELECT home.session FROM lap AS mine JOIN seat AS home ON home.id = mine.seat
WHERE mine.user = ? AND mine.user <> ''
"""
"""Sessions with a lap of a user. The second condition is the index's, which has laps of users alone."""


class Viewer(NamedTuple):
    """A user, or someone for whom there is everything."""

    user: str = ""
    """Empty: nobody's laps."""
    session: str = ""
    """Session in which the user is in the seat now; empty: in none."""
    all: bool = False

    def owns(self, lap: lap_pb2.Lap) -> bool:
        """Return whether a lap is the user's own."""
        return bool(self.user) and lap.user == self.user

    def sees(self, lap: lap_pb2.Lap, *, at_home: bool) -> bool:
        """Return whether there is a lap for them; `at_home`: there is its session."""
        return self.all or self.owns(lap) or (at_home and not lap.user and not lap.player)

    def marked(self, moment: laps_pb2.Moment) -> bool:
        """Return whether there is a mark for them: everybody has their own."""
        return self.all or (bool(self.user) and moment.user == self.user)

    def sessions(self, column: str) -> Where:
        """Return the condition that there is the session whose name is in a column."""
        where = Where()
        if not self.all and self.user:
            where.add(f"({column} = ? OR {column} IN ({_MINE}))", self.session, self.user)
        elif not self.all:
            where.add("0")
        return where

    def laps(self) -> Where:
        """Return the condition that there is a lap, for statements over lap."""
        where = Where()
        if not self.all:
            home = self.sessions("seat.session")
            others = f"lap.seat IN (SELECT seat.id FROM seat WHERE {home}) AND NOT lap.player"
            where.add(f"(CASE lap.user WHEN '' THEN {others} ELSE lap.user = ? END)", *home.values, self.user)
        return where


EVERYTHING: Final = Viewer(all=True)
"""Of the local administrator, of `laps:all`, and of the daemons themselves."""
