"""Who drove where, and of whom there is telemetry."""

from collections.abc import Iterator
from typing import Any, Final

from rigclient.warehouse.destination import Destination
from rigclient.warehouse.questions.choice import FROM, Choice
from rigclient.warehouse.questions.keyset import Question, rows

_PAGE: Final = 1000
_KEYS: Final = ("TRACK", "DRIVER")
_COUNTED: Final = "CASE WHEN L.COMPLETE AND COALESCE(L.VALID, TRUE) THEN L.LAP_TIME END"


def drivers(destination: Destination, choice: Choice) -> Iterator[dict[str, Any]]:
    """Yield a row per driver and track, of the laps that pass."""
    where = choice.where() & "L.DRIVER IS NOT NULL"
    sql = (
        "SELECT COALESCE(L.TRACK, '') AS TRACK, L.DRIVER, MAX(L.CAR_NUMBER) AS CAR_NUMBER, "
        "MAX(L.VEHICLE) AS VEHICLE, MAX(L.VEHICLE_CLASS) AS VEHICLE_CLASS, "
        "COUNT(DISTINCT L.SESSION) AS SESSIONS, COUNT(*) AS LAPS, "
        "COUNT(CASE WHEN L.SAMPLES > 0 THEN 1 END) AS LAPS_WITH_TELEMETRY, "
        f"CAST(SUM(COALESCE(L.SAMPLES, 0)) AS BIGINT) AS SAMPLES, MIN({_COUNTED}) AS BEST, "
        f"MAX(L.START_TIME_NS) AS LAST_START_NS {FROM} WHERE {where.sql} "
        "GROUP BY COALESCE(L.TRACK, ''), L.DRIVER"
    )
    return rows(destination, Question(sql, where.params), _KEYS, _PAGE)
