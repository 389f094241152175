"""Names of sessions and laps: what they are made of decides that they are the same after every restart."""

import re
import time
from typing import Final

from rig.errors import NotFound
from rig.v1 import lap_pb2, session_pb2

_KINDS: Final = {
    session_pb2.SESSION_KIND_TEST_DAY: "test",
    session_pb2.SESSION_KIND_PRACTICE: "practice",
    session_pb2.SESSION_KIND_QUALIFYING: "qualifying",
    session_pb2.SESSION_KIND_WARMUP: "warmup",
    session_pb2.SESSION_KIND_RACE: "race",
}
_LONGEST_TRACK: Final = 32
_NAME: Final = re.compile(r"sessions/([a-z0-9-]+)(?:/laps/([a-z0-9-]+))?")


def session_name(ring: bytes, number: int, start_ns: int, state: session_pb2.SessionState) -> str:
    """Return `sessions/20261120-134500-meander-valley-race-5f3a-2`: UTC start, track, kind, ring, number."""
    start = time.strftime("%Y%m%d-%H%M%S", time.gmtime(start_ns // 1_000_000_000))
    track = re.sub("[^a-z0-9]+", "-", state.track_name.lower()).strip("-")[:_LONGEST_TRACK].strip("-")
    kind = _KINDS.get(state.kind, "session")
    return f"sessions/{start}-{track or 'track'}-{kind}-{ring[:2].hex()}-{number}"


def lap_name(session: str, lap: lap_pb2.Lap) -> str:
    """Return `{session}/laps/car012-0003`: slot id and position among its laps."""
    return f"{session}/laps/car{lap.car:03d}-{lap.index:04d}"


def excerpt_name(session: str, mark: str, car: int) -> str:
    """Return `{session}/laps/mark-{mark}-car012`."""
    return f"{session}/laps/mark-{mark}-car{car:03d}"


def running_name(session: str, car: int) -> str:
    """Return `{session}/laps/car012-running`: the lap that is being driven."""
    return f"{session}/laps/car{car:03d}-running"


def parts_of(name: str, wanted: int) -> tuple[str, ...]:
    """Return the own parts of a name: of a session one, of a lap two. Raises NotFound for any other."""
    match = _NAME.fullmatch(name)
    parts = tuple(part for part in match.groups() if part) if match else ()
    if len(parts) != wanted:
        form = "sessions/{session}" + "/laps/{lap}" * (wanted - 1)
        raise NotFound(f"{name!r} is no name of the form {form}", name=name)
    return parts


def is_name(name: str) -> bool:
    """Return whether something can be called so."""
    return bool(_NAME.fullmatch(name))
