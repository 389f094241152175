"""The best laps of two drivers: where one of them wins the time."""

# ruff: noqa: S608  what is put into statements are names from this package; values are bound

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from rig.errors import BadRequest, NotFound
from rigclient.warehouse.destination import Destination
from rigclient.warehouse.questions.choice import FROM, Choice
from rigclient.warehouse.questions.grid import Cell, grid
from rigclient.warehouse.questions.laps import LapKey
from rigclient.warehouse.questions.lookup import find_driver
from rigclient.warehouse.questions.placed import placed


class Best(NamedTuple):
    """A driver's best lap."""

    key: LapKey
    driver: str
    track: str
    lap_time: float
    sectors: tuple[float | None, float | None, float | None]
    samples: int


class Split(NamedTuple):
    """A timing line, and when each of the laps was there [s]."""

    name: str
    a: float
    b: float


class LoadedComparison(NamedTuple):
    """Two laps of one track."""

    a: Best
    b: Best
    splits: list[Split]
    """Sectors and intermediates that both laps have, in the order of the track."""

    @property
    def has_telemetry(self) -> bool:
        """Whether both laps have samples, which `cells` needs."""
        return bool(self.a.samples and self.b.samples)

    def cells(self, destination: Destination, channels: Iterable[str], step_m: float) -> Iterator[Cell]:
        """Yield both laps over the distance, in cells of `step_m` metres. The time between laps that have
        positions is that along the line of one of them, all others' that at the same distance.
        """
        lost = placed(destination, self.a.key, self.b.key)
        for cell in grid(destination, self.a.key, self.b.key, channels, step_m):
            yield cell if lost is None else cell._replace(delta=lost(cell.distance))


def compare(destination: Destination, choice: Choice, first: str, second: str) -> LoadedComparison:
    """Return the best laps of two drivers on a track that both have driven: with telemetry where both have
    some, else of all. Raises NotFound, BadRequest.
    """
    names = [find_driver(destination, choice, text) for text in (first, second)]
    if names[0] == names[1]:
        raise BadRequest(f"{first!r} and {second!r} are both {names[0]}", hint="name two drivers")
    for wanted in (replace(choice, telemetry=True), choice):
        laps = [_best_by_track(destination, wanted, name) for name in names]
        if both := sorted(laps[0].keys() & laps[1].keys()):
            a, b = (of_driver[_only(both, names)] for of_driver in laps)
            return LoadedComparison(a, b, _splits(destination, a, b))
    raise NotFound(f"{names[0]} and {names[1]} have no track in common", hint=_tracks(names, laps))


def between(destination: Destination, first: LapKey, second: LapKey) -> LoadedComparison:
    """Return two laps, whoever drove them. Raises NotFound for one without a time."""
    a, b = (_lap(destination, key) for key in (first, second))
    return LoadedComparison(a, b, _splits(destination, a, b))


def _best_by_track(destination: Destination, choice: Choice, driver: str) -> dict[str, Best]:
    where = choice.where()
    sql = (
        f"SELECT * FROM (SELECT {_COLUMNS}, ROW_NUMBER() OVER (PARTITION BY L.TRACK "
        f"ORDER BY L.LAP_TIME, L.SESSION, L.LAP) AS NTH {FROM} WHERE {where.sql} AND L.DRIVER = ? "
        "AND L.COMPLETE AND L.LAP_TIME IS NOT NULL AND COALESCE(L.VALID, TRUE)) Q WHERE NTH = 1"
    )
    found = (_best(row[:-1]) for row in destination.rows(sql, [*where.params, driver]))
    return {lap.track: lap for lap in found}


_COLUMNS = (
    "L.RIG_ID, L.SESSION, L.LAP, L.DRIVER, L.TRACK, L.LAP_TIME, L.SECTOR1, L.SECTOR2, L.SECTOR3, L.SAMPLES"
)


def _best(row: Iterable[Any]) -> Best:
    rig_id, session, lap, driver, track, lap_time, s1, s2, s3, samples = row
    return Best(LapKey(rig_id, session, lap), driver or "", track or "", lap_time, (s1, s2, s3), samples or 0)


def _lap(destination: Destination, key: LapKey) -> Best:
    sql = f"SELECT {_COLUMNS} FROM LAPS L WHERE L.RIG_ID = ? AND L.SESSION = ? AND L.LAP = ?"
    for row in destination.rows(sql, key):
        return _best(row)
    raise NotFound(f"there is no lap {key}", hint="`rig warehouse laps` lists them")


def _only(both: list[str], names: list[str]) -> str:
    if len(both) > 1:
        tracks = ", ".join(both)
        raise BadRequest(f"{names[0]} and {names[1]} have both driven {tracks}", hint="--track chooses one")
    return both[0]


def _tracks(names: list[str], laps: list[dict[str, Best]]) -> str:
    return "; ".join(
        f"{name} has times at {', '.join(found) or 'no track'}"
        for name, found in zip(names, laps, strict=True)
    )


def _splits(destination: Destination, a: Best, b: Best) -> list[Split]:
    """Return sectors, or where the timing has them the lines in between as well."""
    times = [_lines(destination, lap) for lap in (a, b)]
    both = [Split(name, at, times[1][name]) for name, at in times[0].items() if name in times[1]]
    return sorted(both, key=lambda split: split.a)


def _lines(destination: Destination, lap: Best) -> dict[str, float]:
    """Return when the lap crossed which timing line [s]. A line that ends a sector goes by the sector's
    name.
    """
    sectors = _sectors(lap)
    if lap.samples:
        return sectors
    sql = "SELECT NAME, LAP_TIME FROM READINGS WHERE RIG_ID = ? AND SESSION = ? AND LAP = ? ORDER BY SEQ"
    known = set(sectors.values())
    between = {name: at for name, at in destination.rows(sql, lap.key) if at not in known}
    return between | sectors


def _sectors(lap: Best) -> dict[str, float]:
    s1, s2, _ = lap.sectors
    ends = {"S1": s1, "S2": None if s1 is None or s2 is None else round(s1 + s2, 3), "lap": lap.lap_time}
    return {name: at for name, at in ends.items() if at is not None}
