"""Building loads: laps are read from the rig, decoded and spooled until there are enough rows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from rig.errors import Corrupt, Mismatch, NotFound, RigError
from rig.v1 import analysis_pb2
from rigclient.warehouse import names, table_rows, tables
from rigclient.warehouse.iteration import prefetch
from rigclient.warehouse.layout import ChannelColumns, LayoutCache
from rigclient.warehouse.loading import Load, LoadPart
from rigclient.warehouse.plan import STREAM, Plan, PlannedLap
from rigclient.warehouse.rig_reader import FetchedLap, RigReader
from rigclient.warehouse.spool import Spool

LOAD_ROWS: Final = 250_000
"""Most samples of a load: about 60 MB as zstd Parquet; warehouses take files of 100 MB best."""


_CORNERS_AT_ONCE: Final = 500
"""Laps of a load that brings corners alone: some 5,000 rows."""


_READINGS_AT_ONCE: Final = 20_000
"""Rows of READINGS that are written together."""


class PreparedLoad(NamedTuple):
    """A load that is ready to be staged, with what has to be known when it is loaded."""

    load: Load
    layout: ChannelColumns | None
    """Layout of its laps; None when it has none."""
    digests: dict[str, str]
    """Digests of its laps, by the lap's name."""
    newest_ns: int
    """Wall clock at which the newest of its laps ended, unix nanoseconds; 0 without laps."""
    spool: Spool


class OpenLoad:
    """A load that still takes laps."""

    def __init__(self, rig_id: str, folder: Path, layout: ChannelColumns | None) -> None:
        self._rig_id, self.layout = rig_id, layout
        self.spool: Final = Spool(folder)
        self._digests: dict[str, str] = {}
        self._newest_ns = 0
        self._laps: list[table_rows.NamedRow] = []
        self._gaps: list[table_rows.NamedRow] = []
        self._corners: list[table_rows.NamedRow] = []
        self._readings: list[table_rows.NamedRow] = []
        self.sessions: list[table_rows.NamedRow] = []
        self.files: list[table_rows.NamedRow] = []
        self.replaces_laps = False

    def has_room(self, layout: ChannelColumns, rows: int, limit: int) -> bool:
        """Return whether a lap of so many rows fits: one load has one layout and at most `limit` samples."""
        return self.layout == layout and self.spool.rows(tables.SAMPLES) + rows <= limit

    def add(self, read: FetchedLap, layout: ChannelColumns) -> None:
        """Spool the samples and scoring updates of a lap, and note its rows of LAPS and GAPS."""
        file, lap = read.file, read.file.header.lap
        samples, scoring = table_rows.columns_of(file)
        session, own = names.parted(lap.name)
        constants: dict[str, str | int] = {
            "RIG_ID": self._rig_id,
            "SESSION": session,
            "LAP": own,
            "CAR": lap.car,
            "LAP_INDEX": lap.index,
        }
        for table, columns in ((tables.SAMPLES, samples), (tables.UPDATES, scoring)):
            if columns:
                self.spool.add(table, constants, layout.arrays(table, columns))
        self._laps.append(table_rows.lap_of_file(self._rig_id, file, read.size, samples, scoring))
        self._gaps += table_rows.gaps_of_lap(self._rig_id, file)
        self._readings += table_rows.readings(constants, file)
        if len(self._readings) >= _READINGS_AT_ONCE:
            self._put_readings()
        self._digests[lap.name] = file.digest
        self._newest_ns = max(self._newest_ns, lap.end_time_ns)

    def _put_readings(self) -> None:
        self.spool.put(tables.READINGS, self._readings)
        self._readings = []

    def add_corners(self, lap: str, kept: analysis_pb2.ListCornersResponse | None) -> None:
        """Note the rows of CORNERS of a lap; none come later."""
        if kept is not None:
            self._corners += table_rows.corners(self._rig_id, lap, kept)

    @property
    def empty(self) -> bool:
        """Whether it brings nothing."""
        return not (self._laps or self._corners or self.sessions)

    def parts(self) -> tuple[LoadPart, ...]:
        """Return what it brings, once all laps are added."""
        self._put_readings()
        self.spool.put(tables.LAPS, self._laps)
        self.spool.put(tables.GAPS, table_rows.numbered(self._gaps))
        self.spool.put(tables.CORNERS, self._corners)
        self.spool.put(tables.SESSIONS, self.sessions)
        self.spool.put(tables.FILES, self.files)
        return self.spool.parts()

    def finished(self, number: int) -> PreparedLoad:
        """Return the finished load, as number `number` of the stream of laps."""
        load = Load(
            self.spool.id,
            self._rig_id,
            STREAM,
            number,
            number + 1,
            self.parts(),
            replaces_laps=self.replaces_laps,
        )
        return PreparedLoad(load, self.layout, self._digests, self._newest_ns, self.spool)


ReadLap = tuple[FetchedLap, ChannelColumns, analysis_pb2.ListCornersResponse | None]


class LoadBuilder:
    """Builds the loads of a plan, one after the other; a session goes with its first lap."""

    def __init__(
        self, rig: RigReader, layouts: LayoutCache, folder: Path, refuse: Callable[[RigError], None]
    ) -> None:
        self._rig, self._layouts, self._folder = rig, layouts, folder
        self._refuse = refuse
        self.stopped = False
        """Set to end `loads` after the lap that is being read."""

    def loads(self, plan: Plan, read: Callable[[int], None], limit: int) -> Iterator[PreparedLoad]:
        """Yield the loads, of at most `limit` samples each. `read` is called with the rows of every lap."""
        number, open_load, sessions = plan.next_n, None, dict(plan.sessions)
        there = set(plan.files)
        for wanted, lap in prefetch((wanted, self._read(wanted)) for wanted in plan.laps):
            if self.stopped:
                return
            if lap is not None:
                if open_load and not open_load.has_room(lap[1], wanted.rows, limit):
                    yield open_load.finished(number)
                    number, open_load = number + 1, None
                open_load = open_load or self._new_load(lap[1])
                open_load.add(*lap[:2])
                open_load.add_corners(wanted.name, lap[2])
                open_load.replaces_laps |= wanted.replaces
                session = sessions.pop(wanted.name.partition("/laps/")[0], None)
                open_load.sessions += [session] if session else []
                recording = lap[0].file.header.recording
                if recording.sha256 and recording.sha256 not in there:
                    there.add(recording.sha256)
                    open_load.files.append(table_rows.file(self._rig.rig_id, lap[0].file))
            read(wanted.rows)
        if sessions and open_load is None:
            open_load = self._new_load(None)
        if open_load is not None:
            open_load.sessions += sessions.values()
            yield open_load.finished(number)
            number += 1
        yield from self._corners(plan.corners, number)

    def _corners(self, laps: list[str], number: int) -> Iterator[PreparedLoad]:
        """Yield loads with the corners of laps that are there, from load `number` on."""
        for at in range(0, len(laps), _CORNERS_AT_ONCE):
            open_load = self._new_load(None)
            for name in laps[at : at + _CORNERS_AT_ONCE]:
                if self.stopped:
                    return
                open_load.add_corners(name, self._rig.corners(name))
            if not open_load.empty:
                yield open_load.finished(number)
                number += 1

    def _new_load(self, layout: ChannelColumns | None) -> OpenLoad:
        return OpenLoad(self._rig.rig_id, self._folder, layout)

    def _read(self, wanted: PlannedLap) -> ReadLap | None:
        """Return a lap with its layout and corners; None for one that was removed meanwhile or is refused."""
        try:
            read = self._rig.read(wanted.name, wanted.digest)
            layout = self._layouts.of(read.file)
            return read, layout, self._rig.corners(wanted.name) if wanted.corners else None
        except NotFound:
            return None  # retention, or somebody's hand, was faster
        except (Corrupt, Mismatch) as error:
            self._refuse(error)
            return None
