"""Which laps a question is about."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final, NamedTuple

from rigclient.warehouse.destination import Value

FROM: Final = "FROM LAPS L LEFT JOIN SESSIONS S ON S.RIG_ID = L.RIG_ID AND S.SESSION = L.SESSION"
"""What `Choice.where` is about."""

CAR: Final = "COALESCE(L.CAR_NUMBER, CAST(L.CAR AS VARCHAR))"
"""What people call a car: the number that is painted on it, else its slot id."""

FIRST_RACE: Final = 10
"""The game's session number of the first race of a weekend."""


class LapCondition(NamedTuple):
    """A condition on a lap L of a session S, and what stands for its question marks."""

    sql: str
    params: tuple[Value, ...]

    def __and__(self, sql: str) -> "LapCondition":
        return LapCondition(f"{self.sql} AND {sql}", self.params)


@dataclass(frozen=True)
class Choice:
    """Conditions that hold together; what is not given does not restrict."""

    track: str = ""
    """Part of the track's name, in any case."""
    race: int = 0
    """First, second, ... race of the weekend."""
    session: str = ""
    """Part of the session's name."""
    cars: tuple[str, ...] = ()
    """Numbers as they are painted on the cars, where nobody said so slot ids; or names of vehicles."""
    driver: str = ""
    """Part of the driver's name, in any case."""
    vehicle_class: str = ""
    """Part of the class, in any case."""
    source: str = ""
    """live, demo, replay or import."""
    green: bool = False
    """Only laps known to be without a yellow."""
    valid: bool = False
    """Only valid laps: those that count. A lap of which nobody knows it counts too."""
    telemetry: bool = False
    """Only laps with samples."""

    def where(self) -> LapCondition:
        """Return the condition; every word of the caller is a parameter."""
        parts = [part for part in self._parts() if part is not None]
        sql = " AND ".join(["L.KIND = 'lap'", *(part.sql for part in parts)])
        return LapCondition(sql, tuple(value for part in parts for value in part.params))

    def given(self) -> list[str]:
        """Return the names of the conditions that restrict."""
        return [field.name for field in fields(self) if getattr(self, field.name)]

    def _parts(self) -> Iterator[LapCondition | None]:
        yield _contains("L.TRACK", self.track)
        yield _contains("L.DRIVER", self.driver)
        yield LapCondition("CONTAINS(L.SESSION, ?)", (self.session,)) if self.session else None
        yield _contains("L.VEHICLE_CLASS", self.vehicle_class)
        yield LapCondition("S.SOURCE = ?", (self.source,)) if self.source else None
        if self.race:
            yield LapCondition("S.KIND = 'race' AND S.SESSION_NUMBER = ?", (FIRST_RACE - 1 + self.race,))
        if self.cars:
            marks = ", ".join("?" * len(self.cars))
            yield LapCondition(f"({CAR} IN ({marks}) OR L.VEHICLE IN ({marks}))", self.cars * 2)
        yield LapCondition("L.GREEN", ()) if self.green else None
        yield LapCondition("COALESCE(L.VALID, TRUE)", ()) if self.valid else None
        yield LapCondition("L.SAMPLES > 0", ()) if self.telemetry else None


def _contains(column: str, part: str) -> LapCondition | None:
    return LapCondition(f"CONTAINS(LOWER({column}), ?)", (part.lower(),)) if part else None
