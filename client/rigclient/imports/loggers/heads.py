"""Heads of loggers' files: what they state of the session, by the logger's names."""

from collections.abc import Mapping
from typing import NamedTuple

from rigclient.imports.loggers.laps import session_kind
from rigclient.imports.loggers.times import NO_ZONE, wall_clock_ns
from rigclient.imports.recording import RecordedSession


class SessionNames(NamedTuple):
    """Names in a head of what a session is."""

    track: str
    kind: str
    date: str
    clock: str
    facts: tuple[str, ...]
    """Names of what else is kept, as it stands there."""

    def session(self, about: Mapping[str, str], number: int = 1) -> RecordedSession:
        """Return the session that a head is of, one after another by `number`. Its clock is read as UTC."""
        start = wall_clock_ns(about.get(self.date, ""), about.get(self.clock, ""))
        facts = {name: about[name] for name in self.facts if about.get(name)}
        return RecordedSession(
            track=about.get(self.track, ""),
            kind=session_kind(about.get(self.kind, "")),
            number=number,
            start_time_ns=start,
            facts=facts | ({"time zone": NO_ZONE} if start else {}),
        )
