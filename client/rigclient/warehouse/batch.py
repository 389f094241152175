"""Putting loads together: laps are read from the rig, decoded and spooled until there are enough."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import Corrupt, Mismatch, NotFound, RigError
from rigclient.warehouse import facts, tables
from rigclient.warehouse.ahead import ahead
from rigclient.warehouse.layout import Layout, Layouts
from rigclient.warehouse.loading import Load
from rigclient.warehouse.plan import STREAM, Plan, Wanted
from rigclient.warehouse.rigs import Read, Source
from rigclient.warehouse.spool import Spool

LOAD_ROWS: Final = 250_000
"""Samples of a load: about 60 MB as zstd Parquet; warehouses take files of 100 MB best."""


class Batch(NamedTuple):
    """A load that is ready, with what has to be known when it is loaded."""

    load: Load
    layout: Layout | None
    """Of its laps; None without any."""
    digests: dict[str, str]
    """Of its laps, by name."""
    newest_ns: int
    """Wall clock at which the newest of them ended."""
    spool: Spool


class _Making:
    """A load that is being put together."""

    def __init__(self, rig_id: str, folder: Path, layout: Layout | None) -> None:
        self._rig_id, self.layout = rig_id, layout
        self._spool = Spool(folder)
        self._digests: dict[str, str] = {}
        self._newest_ns = 0
        self._laps: list[facts.Facts] = []
        self._gaps: list[facts.Facts] = []
        self.sessions: list[facts.Facts] = []

    def takes(self, layout: Layout, rows: int, limit: int) -> bool:
        """Whether a lap may come along: files have the same columns throughout, and an end."""
        return self.layout == layout and self._spool.rows(tables.SAMPLES) + rows <= limit

    def add(self, read: Read, layout: Layout) -> None:
        """One more lap."""
        file, lap = read.file, read.file.header.lap
        samples, scoring = facts.columns_of(file)
        session, own = tables.parted(lap.name)
        constants: dict[str, str | int] = {
            "RIG_ID": self._rig_id,
            "SESSION": session,
            "LAP": own,
            "CAR": lap.car,
            "LAP_INDEX": lap.index,
        }
        for table, columns in ((tables.SAMPLES, samples), (tables.UPDATES, scoring)):
            if columns:
                self._spool.add(table, constants, layout.arrays(table, columns))
        self._laps.append(facts.lap_of_file(self._rig_id, file, read.size, samples, scoring))
        self._gaps += facts.gaps_of_lap(self._rig_id, file)
        self._digests[lap.name] = file.digest
        self._newest_ns = max(self._newest_ns, lap.end_time_ns)

    def finished(self, number: int) -> Batch:
        """The load of that number."""
        self._spool.put(tables.LAPS, self._laps)
        self._spool.put(tables.GAPS, facts.numbered(self._gaps))
        self._spool.put(tables.SESSIONS, self.sessions)
        load = Load(self._spool.id, self._rig_id, STREAM, number, number + 1, self._spool.parts())
        return Batch(load, self.layout, self._digests, self._newest_ns, self._spool)


class Batcher:
    """Puts the loads of a plan together, one after the other; a session goes with its first lap."""

    def __init__(
        self, rig: Source, layouts: Layouts, folder: Path, refuse: Callable[[RigError], None]
    ) -> None:
        self._rig, self._layouts, self._folder = rig, layouts, folder
        self._refuse = refuse
        self.stopped = False
        """Set by somebody who wants no more."""

    def batches(self, plan: Plan, read: Callable[[int], None], limit: int) -> Iterator[Batch]:
        """The loads. `read` is told the rows of every lap when it is done with."""
        number, making, sessions = plan.next_n, None, dict(plan.sessions)
        for wanted, lap in ahead((wanted, self._read(wanted)) for wanted in plan.laps):
            if self.stopped:
                return
            if lap is not None:
                if making and not making.takes(lap[1], wanted.rows, limit):
                    yield making.finished(number)
                    number, making = number + 1, None
                making = making or self._making(lap[1])
                making.add(*lap)
                session = sessions.pop(wanted.name.partition("/laps/")[0], None)
                making.sessions += [session] if session else []
            read(wanted.rows)
        if sessions and making is None:
            making = self._making(None)
        if making is not None:
            making.sessions += sessions.values()
            yield making.finished(number)

    def _making(self, layout: Layout | None) -> _Making:
        return _Making(self._rig.rig_id, self._folder, layout)

    def _read(self, wanted: Wanted) -> tuple[Read, Layout] | None:
        """A lap with its layout; None for one that is gone by now, or stays behind."""
        try:
            read = self._rig.read(wanted.name, wanted.digest)
            return read, self._layouts.of(read.file)
        except NotFound:
            return None  # retention, or somebody's hand, was faster
        except (Corrupt, Mismatch) as error:
            self._refuse(error)
            return None
