"""Samples sorted on disk out of logged values, which come one by one and in no order."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from rigclient.imports.text.sheet import RefusedLine
from rigclient.imports.timing.longform import LoggedValue
from riglap.extras import need

_BATCH: Final = 10_000
"""Values that are written together: 3 MB."""
_MEMORY: Final = "64MB"
"""What the sort may use; the rest is on the disk."""

_TABLE: Final = """
CREATE TABLE READINGS (
    LINE BIGINT, CAR VARCHAR, LAP BIGINT, TIME_NS BIGINT, RECEIVED_NS BIGINT, NAME VARCHAR, VALUE DOUBLE
)
"""
# Values without a lap are of the lap that the car logged last, at the same time first of all.
_FILLED: Final = """
SELECT LINE, CAR, COALESCE(LAP, LAST_VALUE(LAP IGNORE NULLS) OVER (
        PARTITION BY CAR ORDER BY TIME_NS, LAP NULLS LAST, LINE ROWS UNBOUNDED PRECEDING)) AS LAP,
    TIME_NS, RECEIVED_NS, NAME, VALUE
FROM READINGS
"""
_AS_LOGGED: Final = "SELECT * FROM READINGS"


class Sample(NamedTuple):
    """All values logged for one car at one time."""

    car: str
    lap: int
    time_ns: int
    """The logger's clock."""
    received_ns: int
    """Wall clock at which the first of its values arrived."""
    values: dict[str, float]


class SampleSorter:
    """Sorts logged values in a DuckDB file in `folder`, which the caller deletes."""

    def __init__(self, folder: Path) -> None:
        duckdb = need("duckdb", "warehouse")
        self._arrow: Any = need("pyarrow", "warehouse")
        self._db: Any = duckdb.connect(str(folder / "readings.duckdb"))
        self._db.execute(f"SET memory_limit = '{_MEMORY}'")
        self._db.execute("SET threads = 1")  # each takes memory of its own
        self._db.execute("SET preserve_insertion_order = false")
        self._db.execute(_TABLE)
        self._some: list[LoggedValue] = []
        self._laps_logged = True

    def take(self, readings: Iterable[LoggedValue]) -> None:
        """Add logged values."""
        for reading in readings:
            self._laps_logged &= reading.lap is not None
            self._some.append(reading)
            if len(self._some) == _BATCH:
                self._flush()
        self._flush()

    def begins_ns(self) -> dict[str, int]:
        """Return the logger's clock at the first value of every car, in nanoseconds."""
        return dict(self._db.execute("SELECT CAR, MIN(TIME_NS) FROM READINGS GROUP BY CAR").fetchall())

    def first_ns(self) -> int:
        """Return the wall clock at which the first value arrived, unix nanoseconds; 0 where there is none."""
        ((first,),) = self._db.execute("SELECT COALESCE(MIN(RECEIVED_NS), 0) FROM READINGS").fetchall()
        return int(first)

    def names(self) -> list[str]:
        """Return the names of the values, in the order of the alphabet."""
        rows = self._db.execute("SELECT DISTINCT NAME FROM READINGS ORDER BY NAME").fetchall()
        return [str(name) for (name,) in rows]

    def rate_hz(self) -> float | None:
        """Return samples a second, by the usual step of the logger's clock; None for fewer than two."""
        steps = (
            "SELECT MEDIAN(STEP) FROM ("
            "SELECT TIME_NS - LAG(TIME_NS) OVER (PARTITION BY CAR ORDER BY TIME_NS) AS STEP FROM "
            "(SELECT DISTINCT CAR, TIME_NS FROM READINGS LIMIT 100000)) WHERE STEP > 0"
        )
        ((step,),) = self._db.execute(steps).fetchall()
        return round(1e9 / float(step), 3) if step else None

    def samples(self) -> Iterator[Sample | RefusedLine]:
        """Yield samples by car, lap and time. A second value of one name at one time is refused."""
        for (car, lap, time_ns), rows in groupby(self._rows(), lambda row: (row.car, row.lap, row.time_ns)):
            values: dict[str, float] = {}
            received = []
            for row in rows:
                received.append(row.received_ns)
                if row.name in values:
                    yield _second(row)
                elif lap is None:
                    yield RefusedLine(
                        row.line, "no lap number", f"{row.name} comes before the first lap is told"
                    )
                else:
                    values[row.name] = row.value
            if lap is not None:
                yield Sample(car, lap, time_ns, min(received), values)

    def close(self) -> None:
        """Close the DuckDB file."""
        self._db.close()

    def _flush(self) -> None:
        if not self._some:
            return
        columns = zip(LoggedValue._fields, zip(*self._some, strict=True), strict=True)
        self._db.register("LATEST", self._arrow.table({name: list(values) for name, values in columns}))
        self._db.execute("INSERT INTO READINGS SELECT * FROM LATEST")
        self._db.unregister("LATEST")
        self._some = []

    @property
    def _readings(self) -> str:
        return _AS_LOGGED if self._laps_logged else _FILLED

    def _rows(self) -> Iterator[LoggedValue]:
        for batch in self._db.sql(f"{self._readings} ORDER BY CAR, LAP, TIME_NS, LINE").to_arrow_reader(
            _BATCH
        ):
            yield from map(LoggedValue, *(column.to_pylist() for column in batch.columns))


def _second(row: LoggedValue) -> RefusedLine:
    return RefusedLine(
        row.line, "a second value at the same moment", f"{row.name} of {row.car} is there already"
    )
