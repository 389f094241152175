"""Samples gathered from readings that come one by one and in no order: sorted on disk."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from rigclient.extras import need
from rigclient.warehouse.imports.longform import Reading
from rigclient.warehouse.imports.sheet import Refused

_BATCH: Final = 50_000
"""Readings that go to the disk together: 5 MB."""
_MEMORY: Final = "256MB"
"""What the sort may use; the rest is on the disk."""

_TABLE: Final = """
CREATE TABLE READINGS (
    LINE BIGINT, CAR VARCHAR, LAP BIGINT, TIME_NS BIGINT, RECEIVED_NS BIGINT, NAME VARCHAR, VALUE DOUBLE
)
"""
# Readings that do not tell their lap are of the one that the car told last, at the same moment first of all.
_SORTED: Final = """
SELECT LINE, CAR, COALESCE(LAP, LAST_VALUE(LAP IGNORE NULLS) OVER (
        PARTITION BY CAR ORDER BY TIME_NS, LAP NULLS LAST, LINE ROWS UNBOUNDED PRECEDING)) AS OF_LAP,
    TIME_NS, RECEIVED_NS, NAME, VALUE
FROM READINGS ORDER BY CAR, OF_LAP, TIME_NS, LINE
"""
_SORTED_BY_LAP: Final = """
SELECT LINE, CAR, LAP, TIME_NS, RECEIVED_NS, NAME, VALUE FROM READINGS ORDER BY CAR, LAP, TIME_NS, LINE
"""


class Sample(NamedTuple):
    """What was told of a car at one moment."""

    car: str
    lap: int
    time_ns: int
    """The logger's clock."""
    received_ns: int
    """Wall clock at which the first of its values arrived."""
    values: dict[str, float]


class Gathering:
    """Readings in a file of `folder`, which is the caller's to delete."""

    def __init__(self, folder: Path) -> None:
        duckdb = need("duckdb", "warehouse")
        self._arrow: Any = need("pyarrow", "warehouse")
        self._db: Any = duckdb.connect(str(folder / "readings.duckdb"))
        self._db.execute(f"SET memory_limit = '{_MEMORY}'")
        self._db.execute(_TABLE)
        self._some: list[Reading] = []
        self._laps_told = True

    def take(self, readings: Iterable[Reading | Refused]) -> Iterator[Refused]:
        """Keep the readings; gives back those that were refused before."""
        for reading in readings:
            if isinstance(reading, Refused):
                yield reading
                continue
            self._laps_told &= reading.lap is not None
            self._some.append(reading)
            if len(self._some) == _BATCH:
                self._flush()
        self._flush()

    def samples(self) -> Iterator[Sample | Refused]:
        """By car, lap and time. A second value at the same moment is refused: nobody can tell when it was."""
        for (car, lap, time_ns), rows in groupby(self._rows(), lambda row: (row.car, row.lap, row.time_ns)):
            values: dict[str, float] = {}
            received = []
            for row in rows:
                received.append(row.received_ns)
                if row.name in values:
                    yield _second(row)
                elif lap is None:
                    yield Refused(row.line, "no lap number", f"{row.name} comes before the first lap is told")
                else:
                    values[row.name] = row.value
            if lap is not None:
                yield Sample(car, lap, time_ns, min(received), values)

    def close(self) -> None:
        """End it."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _flush(self) -> None:
        if not self._some:
            return
        columns = zip(Reading._fields, zip(*self._some, strict=True), strict=True)
        self._db.register("LATEST", self._arrow.table({name: list(values) for name, values in columns}))
        self._db.execute("INSERT INTO READINGS SELECT * FROM LATEST")
        self._db.unregister("LATEST")
        self._some = []

    def _rows(self) -> Iterator[Reading]:
        sql = _SORTED_BY_LAP if self._laps_told else _SORTED
        for batch in self._db.sql(sql).to_arrow_reader(_BATCH):
            yield from map(Reading, *(column.to_pylist() for column in batch.columns))


def _second(row: Reading) -> Refused:
    return Refused(row.line, "a second value at the same moment", f"{row.name} of {row.car} is there already")
