"""Laps by what they are, ordered by session, car and lap."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

from rigclient.warehouse.destination import Destination
from rigclient.warehouse.questions.choice import FROM, Choice
from rigclient.warehouse.questions.keyset import Question, rows

_PAGE: Final = 1000
_KEYS: Final = ("STARTED", "SESSION", "RIG_ID", "CAR", "LAP_INDEX")
_COLUMNS: Final = """
SELECT COALESCE(S.START_TIME_NS, 0) AS STARTED, L.SESSION, L.RIG_ID, L.CAR, L.LAP_INDEX, L.LAP, L.CAR_NUMBER,
  L.DRIVER, L.VEHICLE, L.VEHICLE_CLASS, L.TRACK, L.LAP_NUMBER, L.LAP_TIME, L.SECTOR1, L.SECTOR2, L.SECTOR3,
  L.PLACE, L.VALID, L.COMPLETE, L.GREEN, L.FLAG, L.OUT_LAP, L.IN_LAP, L.SAMPLES, L.TOP_SPEED, L.START_TIME_NS
"""


class LapKey(NamedTuple):
    """The key of a lap in the warehouse."""

    rig_id: str
    session: str
    lap: str

    def __str__(self) -> str:
        return f"{self.session}/{self.lap}"


def laps(destination: Destination, choice: Choice, *, everything: bool = False) -> Iterator[dict[str, Any]]:
    """Yield complete laps, with `everything` pieces as well: sessions in the order they were driven, in each
    car by car and lap by lap.
    """
    where = choice.where()
    if not everything:
        where &= "L.COMPLETE"
    question = Question(f"{_COLUMNS} {FROM} WHERE {where.sql}", where.params)
    return rows(destination, question, _KEYS, _PAGE)


def unknown_green(destination: Destination, choice: Choice) -> int:
    """Return how many complete laps a choice of green ones leaves out because nobody knows whether they
    were.
    """
    where = replace(choice, green=False).where() & "L.COMPLETE AND L.GREEN IS NULL"
    sql = f"SELECT COUNT(*) {FROM} WHERE {where.sql}"
    return int(destination.rows(sql, where.params)[0][0])


def key_of(lap: dict[str, Any]) -> LapKey:
    """Return the key of a row that `laps` yields."""
    return LapKey(lap["rig_id"], lap["session"], lap["lap"])
