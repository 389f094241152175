"""Lap files of recorded laps: the same file of another program makes the same bytes."""

import functools
import importlib.metadata
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from rig import channels
from rig.errors import BadRequest
from rig.lapfile import ROWS_LIMIT, LapFile, pack
from rig.v1 import archive_pb2, lap_pb2, session_pb2
from rigclient.imports.races import ImportedRace, session_number
from rigclient.imports.recording import MappedColumn, RecordedLap, RecordedSession, Recording
from rigclient.imports.signals.distance import distance_of

Array = np.ndarray[Any, np.dtype[Any]]

KINDS: Final = {
    "test_day": session_pb2.SESSION_KIND_TEST_DAY,
    "practice": session_pb2.SESSION_KIND_PRACTICE,
    "qualifying": session_pb2.SESSION_KIND_QUALIFYING,
    "warmup": session_pb2.SESSION_KIND_WARMUP,
    "race": session_pb2.SESSION_KIND_RACE,
}
_KNOWN: Final = {channel.name: channel for channel in (*channels.PHYSICS.channels, *channels.LAP.channels)}
_DIGEST: Final = 16
"""Digits of a checksum in `file_digest`."""
_CHEQUERED: Final = "FF"
"""Flag that a chart shows at the end of a lap."""
_LONGEST_S: Final = 7 * 86_400.0
"""Of the clock of one lap; a piece without a line may be a whole day."""
_COLUMNS: Final = 512
"""Most columns without a channel that are kept; the widest export known has 276."""


def session_message(
    name: str, race: ImportedRace, recorded: RecordedSession, start_ns: int
) -> session_pb2.Session:
    """Return the session of a recording; `start_ns` is its wall clock, 0 where nobody knows."""
    kind, number = KINDS[race.kind], session_number(race.number, race.kind)
    source = session_pb2.SESSION_SOURCE_IMPORT
    return session_pb2.Session(
        name=f"sessions/{name}",
        track_name=race.track,
        track_length=recorded.track_length_m,
        kind=kind,
        number=number,
        source=source,
        status=session_pb2.SESSION_STATUS_COMPLETED,
        start_time_ns=start_ns,
        state=session_pb2.SessionState(
            track_name=race.track,
            kind=kind,
            number=number,
            track_length=recorded.track_length_m,
            source=source,
        ),
    )


def recording_message(recording: Recording) -> archive_pb2.Recording:
    """Return what every lap of a recording says of it, but for the file."""
    return archive_pb2.Recording(
        dialect=recording.dialect,
        rate=recording.rate_hz or 0.0,
        mapped=map(_mapped, recording.mapped),
        left=recording.left,
        facts=_facts(recording.session.facts),
        setup=[
            archive_pb2.RecordedFact(name=name, value=value, unit=unit)
            for name, (value, unit) in recording.setup.items()
        ],
    )


def _mapped(column: MappedColumn) -> archive_pb2.RecordedColumn:
    return archive_pb2.RecordedColumn(**column._asdict())


def _facts(facts: Mapping[str, str]) -> list[archive_pb2.RecordedFact]:
    return [archive_pb2.RecordedFact(name=name, value=value) for name, value in facts.items()]


def lap_file(lap: RecordedLap, session: session_pb2.Session, of: archive_pb2.Recording) -> bytes:
    """Return the bytes of the lap file of a lap; `of` is what its recording says. Raises BadRequest for
    samples that no lap file holds.
    """
    begin_ns = _wall_clock(session, lap.start_s)
    samples = _samples(lap, session, begin_ns)
    header = archive_pb2.LapHeader(
        lap=_lap(lap, session, of.sha256),
        session=session,
        version=_version(),
    )
    header.recording.CopyFrom(of)
    _tell(header.recording, lap)
    header.lap.samples = len(samples.get("lap_time", ()))
    if header.lap.samples and samples["capture_time_ns"][0]:
        header.lap.start_time_ns = int(samples["capture_time_ns"][0])
        header.lap.end_time_ns = int(samples["capture_time_ns"][-1])
    others = dict(list(lap.others.items())[:_COLUMNS]) if samples else {}
    return pack(header, samples, {}, {name: values.astype(np.float64) for name, values in others.items()})


@functools.cache
def _version() -> str:
    return importlib.metadata.version("rigd")


def _wall_clock(session: session_pb2.Session, at_s: float) -> int:
    """Return unix nanoseconds of a session's clock; 0 where nobody knows."""
    return session.start_time_ns + round(at_s * 1e6) * 1000 if session.start_time_ns else 0


def _lap(lap: RecordedLap, session: session_pb2.Session, sha256: str) -> lap_pb2.Lap:
    s1, s2, s3 = lap.sectors_s
    return lap_pb2.Lap(
        name=f"{session.name}/laps/car{lap.car:03d}-{lap.index:04d}",
        kind=lap_pb2.LAP_KIND_LAP,
        car=lap.car,
        index=lap.index,
        number=lap.number,
        stint=lap.stint,
        driver=lap.driver,
        vehicle=lap.vehicle,
        vehicle_class=lap.vehicle_class,
        team=lap.team,
        start_time=lap.start_s,
        end_time=lap.end_s,
        lap_time=lap.lap_time_s,
        official=lap.official,
        sector1=s1,
        sector2=s2,
        sector3=s3,
        valid=lap.valid and lap.complete and lap.lap_time_s is not None,
        complete=lap.complete,
        out_lap=lap.out_lap,
        in_lap=lap.in_lap,
        pit_visits=_pit_visits(lap),
        place=lap.place,
        front_compound=lap.compounds[0],
        rear_compound=lap.compounds[1],
        track_length=session.track_length,
        track_name=session.track_name,
        start_time_ns=_wall_clock(session, lap.start_s),
        end_time_ns=_wall_clock(session, lap.end_s),
        file_digest=sha256[:_DIGEST],
        car_number=lap.car_number,
        green=lap.green,
        chequered=lap.flag == _CHEQUERED,
    )


def _pit_visits(lap: RecordedLap) -> list[lap_pb2.PitVisit]:
    """Return the stays in the pit lane that touch the lap, at its lines: no sheet has a better moment."""
    visits = []
    if lap.pit_s is not None:
        visits.append(lap_pb2.PitVisit(enter_time=lap.start_s, exit_time=lap.start_s + lap.pit_s))
    if lap.in_lap:
        visits.append(lap_pb2.PitVisit(enter_time=lap.end_s))
    return visits


def _tell(recording: archive_pb2.Recording, lap: RecordedLap) -> None:
    """Add what the file says of the lap itself."""
    recording.points.extend(
        archive_pb2.TimedPoint(name=one.point, time=one.time_s, since=one.since_s) for one in lap.readings
    )
    recording.facts.extend(_facts(lap.facts))
    recording.flag = lap.flag
    for name, value in (("green", lap.green), ("top_speed", lap.top_speed_mps), ("pit_time", lap.pit_s)):
        if value is not None:
            setattr(recording, name, value)


def _samples(lap: RecordedLap, session: session_pb2.Session, begin_ns: int) -> dict[str, Array]:
    """Return the columns of a lap's samples, with those that every lap file has."""
    if not lap.samples or not len(lap.samples["lap_time"]):
        return {}
    times = lap.samples["lap_time"].astype(np.float64)
    if len(times) > ROWS_LIMIT:
        raise BadRequest(
            f"lap {lap.index} of car {lap.car} has {len(times)} samples, a lap file holds {ROWS_LIMIT}",
            hint="nothing tells where its laps begin",
        )
    _check_clock(lap, times)
    clocks = (
        begin_ns + np.round(times * 1e6).astype(np.int64) * 1000
        if begin_ns
        else np.zeros(len(times), np.int64)
    )
    own: dict[str, Array] = {
        "seq": np.arange(1, len(times) + 1),
        "capture_time_ns": clocks,
        "session_time": lap.start_s + times,
    }
    found = distance_of(lap.samples, session.track_length, complete=lap.complete)
    columns = own | ({"distance": found} if found is not None else {}) | dict(lap.samples)
    return {name: np.ascontiguousarray(values, _KNOWN[name].dtype) for name, values in columns.items()}


def _check_clock(lap: RecordedLap, times: Array) -> None:
    """Raise BadRequest unless the clock of a lap's samples grows, within a day."""
    falls = np.flatnonzero(~(np.diff(times) > 0))  # nor does it with NaN
    if len(falls) or not abs(times[0]) + abs(times[-1]) <= _LONGEST_S:
        at = int(falls[0]) + 1 if len(falls) else len(times) - 1
        raise BadRequest(
            f"lap {lap.index} of car {lap.car}: the clock of its samples goes from {times[max(at - 1, 0)]} s "
            f"to {times[at]} s",
            hint=f"it has to grow, up to {_LONGEST_S:.0f} s",
        )


class WholeFile(NamedTuple):
    """What is known of a file of another program once all of it was read."""

    laps: int = 0
    refused: int = 0
    """Rows of it that were left out."""
    replaced: tuple[str, ...] = ()
    """Checksums of the files in whose place it comes."""
    user: str = ""
    """Whose its laps are."""


def finished(file: LapFile, session: session_pb2.Session, whole: WholeFile) -> bytes:
    """Return a lap file with what is known once the whole recording was read."""
    header = archive_pb2.LapHeader()
    header.CopyFrom(file.header)
    header.session.CopyFrom(session)
    header.lap.track_length, header.lap.user = session.track_length, whole.user
    header.recording.laps, header.recording.refused = whole.laps, whole.refused
    header.recording.replaced.extend(whole.replaced)
    return file.with_header(header)
