"""AiM's .xrk and .xrz, through libxrk: the logger's own files, with its lap times.

Channels have clocks of their own; the rows are those of the receiver's places, 25 a second say, and what is
faster or slower lies on the line between.
"""

import contextlib
import io
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from rig.errors import BadRequest, Corrupt
from rigclient.imports.channels import naming
from rigclient.imports.channels.column import To, X, Y, Z
from rigclient.imports.loggers.columns import HeldColumns
from rigclient.imports.loggers.heads import SessionNames
from rigclient.imports.loggers.laps import Driven, Stated, recorded_laps, whole_run
from rigclient.imports.loggers.run import Ground, LoggedRun
from rigclient.imports.recording import Head, Progress, Recording, Refuse
from rigclient.imports.signals.cuts import LapCut, laps_by_times
from riglap.extras import need

Array = np.ndarray[Any, np.dtype[Any]]

_PLAIN: Final = b"<hCNF"
_PACKED: Final = (b"\x78\x01", b"\x78\x9c", b"\x78\xda")
_LARGEST: Final = 256 << 20
"""Bytes, unpacked: ten hours of a hundred channels. libxrk takes the whole file into memory."""
_NAMES: Final = {
    "gps inlineacc": To("local_acceleration", "g", Z, -1.0),
    "gps lateralacc": To("local_acceleration", "g", X, -1.0),
    "gps yaw rate": To("local_rotation", "deg/s", Y),
}
"""What libxrk makes of the receiver's velocities."""
_FASTEST_MS: Final = 10
_MOST_HOURS: Final = 48
_MS: Final = 1000.0
_SESSION: Final = SessionNames(
    track="Venue",
    kind="Session",
    date="Log Date",
    clock="Log Time",
    facts=("Log Date", "Log Time", "Series", "Session", "Long Comment", "Logger Model", "Device Name"),
)


class AimXrk:
    """AiM's files."""

    name: str = "AiM .xrk"
    program: str = "AiM loggers"

    def recognises(self, head: Head) -> bool:
        """Return whether it begins with AiM's configuration, packed or not."""
        if head.first.startswith(_PLAIN):
            return True
        if not head.first.startswith(_PACKED):
            return False
        try:
            return zlib.decompressobj().decompress(head.first, len(_PLAIN)).startswith(_PLAIN)
        except zlib.error:
            return False

    def read(self, path: Path, refuse: Refuse, progress: Progress) -> list[Recording]:  # noqa: ARG002
        """Return the recording; laps as the logger timed them. Raises Unavailable without libxrk, Corrupt
        for what it cannot read, BadRequest for a file of more than 256 MiB.
        """
        library = need("libxrk", "xrk")
        data = _unpacked(path)
        found = _parsed(library, data)
        progress(path.stat().st_size)
        log, left = _log(library, found)
        cuts, stated = _cuts(log, found.laps)
        about = {name: str(value) for name, value in found.metadata.items() if value}
        laps = recorded_laps(log, cuts, Driven(about.get("Driver", ""), about.get("Vehicle", "")), stated)
        return [Recording(self.name, _SESSION.session(about), laps, log.rate_hz, log.mapped, left)]


def _unpacked(path: Path) -> bytes:
    """Return the file's bytes, unpacked. Raises BadRequest for more than can be held, Corrupt for what does
    not unpack.
    """
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if data.startswith(_PACKED):
        try:
            data = zlib.decompressobj().decompress(data, _LARGEST + 1)
        except zlib.error as error:
            raise Corrupt(f"it does not unpack: {error}", hint="copy it from the logger again") from None
    if len(data) > _LARGEST:
        raise BadRequest(
            f"it holds more than {_LARGEST >> 20} MiB", limit=_LARGEST, hint="export its runs one by one"
        )
    return data


def _parsed(library: Any, data: bytes) -> Any:
    """Return what libxrk makes of it. It prints what it does not know; that is not ours to say."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return library.aim_xrk(data)
    except Exception as error:  # noqa: BLE001
        raise Corrupt(f"libxrk cannot read it: {type(error).__name__}: {error}") from None


def _log(library: Any, found: Any) -> tuple[LoggedRun, tuple[str, ...]]:
    """Return the channels that are of the registry on one clock, and the names of the others."""
    metadata = library.ChannelMetadata.from_channel_table
    named = [(name, metadata(table).units) for name, table in found.channels.items()]
    sources = naming.sources(named, _NAMES)
    ground = Ground.among([name for name, _ in named])
    used = list(dict.fromkeys([*(one.column for one in sources), *filter(None, ground or ())]))
    clocks = {name: _numbers(found.channels[name], "timecodes") for name in used}
    clocks = {name: one for name, one in clocks.items() if len(one) > 1}
    if not clocks:
        raise BadRequest("none of its channels is one that is known", channels=len(named))
    base = clocks.get(ground.latitude) if ground else None
    rows = _rows(base if base is not None else max(clocks.values(), key=len))
    columns = {name: _laid(found.channels[name], name, clocks.get(name), rows) for name in used}
    whole = HeldColumns(columns, len(rows))
    log = LoggedRun(whole, np.arange(len(rows)), rows / _MS, sources, ground)
    return log, naming.left([name for name, _ in named], sources, ground or ())


def _rows(clock_ms: Array) -> Array:
    """Return the clock of the rows [ms], growing, no faster than 100 a second."""
    rows = clock_ms[np.diff(np.maximum.accumulate(clock_ms), prepend=-np.inf) > 0]
    if len(rows) < 2 or rows[-1] - rows[0] > _MOST_HOURS * 3_600_000:
        raise Corrupt(f"its clock goes over {len(rows)} rows and more than {_MOST_HOURS} hours, or nowhere")
    apart = np.concatenate([[True], np.diff(rows // _FASTEST_MS) > 0])
    return np.asarray(rows[apart])


def _numbers(table: Any, name: str) -> Array:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False), np.float64)


def _laid(table: Any, name: str, clock_ms: Array | None, rows: Array) -> Array:
    """Return a channel at the rows; NaN outside of its clock."""
    if clock_ms is None:
        return np.full(len(rows), np.nan)
    values = _numbers(table, name)
    order = np.argsort(clock_ms, kind="stable")
    return np.interp(rows, clock_ms[order], values[order], left=np.nan, right=np.nan)


def _cuts(log: LoggedRun, laps: Any) -> tuple[list[LapCut], dict[int, Stated]]:
    """Return the laps as the logger timed them, to the millisecond."""
    begins, ends = (_numbers(laps, name) / _MS for name in ("start_time", "end_time"))
    kinds = laps.column("lap_type").to_pylist()
    lines = sorted({*map(float, begins), *map(float, ends)})
    if not len(begins):
        return whole_run(log), {}
    whole = [(begin, end) for begin, end, kind in zip(begins, ends, kinds, strict=True) if kind == "full"]
    found = [_timed(cut, whole, 2 / log.rate_hz) for cut in laps_by_times(lines, log.times)]
    return found, {at: Stated(round(cut.end_s - cut.begin_s, 3)) for at, cut in enumerate(found)}


def _timed(cut: LapCut, laps: list[tuple[float, float]], reach_s: float) -> LapCut:
    """Return the cut as the lap that the logger timed; a piece where it is none."""
    for begin, end in laps:
        if abs(cut.begin_s - begin) <= reach_s and abs(cut.end_s - end) <= reach_s:
            return cut._replace(begin_s=float(begin), end_s=float(end), complete=True)
    return cut._replace(complete=False)


DIALECT: Final = AimXrk()
