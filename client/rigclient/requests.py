"""What a caller asks for of streams, as the contract's messages."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal, TypedDict

from rig.errors import BadRequest
from rig.v1 import telemetry_pb2

Cars = Literal["all", "player"] | Iterable[int]
"""All cars, the local player's, or some slot ids."""

WallClock = float | datetime | timedelta
"""Unix seconds; a date and time, without a zone this machine's; or so long ago."""

Start = Literal["now", "earliest", "running_lap"] | bytes | WallClock
"""Now, the oldest record, the running lap, after a cursor, or at a wall clock."""

Delivery = Literal["complete", "latest"]


class SubscribeOptions(TypedDict, total=False):
    """How a stream of samples or scoring updates is to come."""

    max_rate_hz: float
    """At most so many records a second of the session clock; 0: all."""
    start: Start
    """Where to begin: "now", "earliest", "running_lap", a cursor, a `datetime`, a `timedelta` ago."""
    delivery: Delivery
    """Every record, or the newest when the reader is slow: "complete" or "latest"."""
    ticks_per_message: int
    """Records collected into one message, for thin links."""
    gzip: bool
    """Compress messages, for thin links."""
    durable_only: bool
    """Records once they are on the rig's disk, some 0.2 s later, for who copies them elsewhere for good."""


CLOCK_END_S: Final = 18_446_744_073
"""Unix seconds that 64 bits of nanoseconds reach, in the year 2554."""
_SLOT_END: Final = 1 << 31
"""Slot ids are sint32 in the contract."""


def physics(
    channels: Iterable[str] = (),
    cars: Cars = "all",
    *,
    max_rate_hz: float = 0.0,
    start: Start = "now",
    delivery: Delivery = "complete",
    ticks_per_message: int = 1,
    gzip: bool = False,
    durable_only: bool = False,
    delta_reference: str = "",
) -> telemetry_pb2.StreamPhysicsRequest:
    """Return a request for telemetry ticks."""
    return telemetry_pb2.StreamPhysicsRequest(
        channels=list(channels),
        cars=_cars(cars),
        max_rate_hz=max_rate_hz,
        start=position(start),
        delivery=_DELIVERY[delivery],
        ticks_per_message=ticks_per_message,
        compression=_compression(gzip),
        durable_only=durable_only,
        delta_reference=delta_reference,
    )


def scoring(
    channels: Iterable[str] = (),
    cars: Cars = "all",
    *,
    max_rate_hz: float = 0.0,
    start: Start = "now",
    delivery: Delivery = "complete",
    ticks_per_message: int = 1,
    gzip: bool = False,
    durable_only: bool = False,
) -> telemetry_pb2.StreamScoringRequest:
    """Return a request for scoring updates."""
    return telemetry_pb2.StreamScoringRequest(
        channels=list(channels),
        cars=_cars(cars),
        max_rate_hz=max_rate_hz,
        start=position(start),
        delivery=_DELIVERY[delivery],
        ticks_per_message=ticks_per_message,
        compression=_compression(gzip),
        durable_only=durable_only,
    )


def events(start: Start = "now", *, durable_only: bool = False) -> telemetry_pb2.StreamEventsRequest:
    """Return a request for events."""
    return telemetry_pb2.StreamEventsRequest(start=position(start), durable_only=durable_only)


_DELIVERY: Final = {
    "complete": telemetry_pb2.DELIVERY_COMPLETE,
    "latest": telemetry_pb2.DELIVERY_LATEST,
}


def position(start: Start) -> telemetry_pb2.Start:
    """Return where a stream begins."""
    match start:
        case "now":
            return telemetry_pb2.Start()
        case "earliest":
            return telemetry_pb2.Start(earliest=True)
        case "running_lap":
            return telemetry_pb2.Start(running_lap=True)
        case bytes():
            return telemetry_pb2.Start(cursor=start)
    return telemetry_pb2.Start(time_ns=time_ns(start))


def time_ns(at: WallClock) -> int:
    """Return a wall clock in unix nanoseconds. Raises BadRequest for one that they cannot tell."""
    seconds = _unix_s(at)
    if not 0 <= seconds < CLOCK_END_S:
        raise BadRequest(f"{seconds} is no wall clock", hint=f"unix seconds, 0 to {CLOCK_END_S}")
    return int(seconds * 1e9)


def _unix_s(at: WallClock) -> float:
    match at:
        case timedelta():
            return time.time() - at.total_seconds()
        case datetime():
            return at.timestamp()
    return float(at)


def slots(cars: Iterable[int]) -> list[int]:
    """Return slot ids. Raises BadRequest for numbers that are none."""
    ids = [int(slot) for slot in cars]
    for slot in ids:
        if not 0 <= slot < _SLOT_END:
            raise BadRequest(f"{slot} is no slot id", hint=f"they are numbers from 0 to {_SLOT_END - 1}")
    return ids


def _cars(cars: Cars) -> telemetry_pb2.Cars:
    if cars == "all":
        return telemetry_pb2.Cars()
    if cars == "player":
        return telemetry_pb2.Cars(player=True)
    return telemetry_pb2.Cars(ids=slots(cars))


def _compression(gzip: bool) -> "telemetry_pb2.Compression.ValueType":
    return telemetry_pb2.COMPRESSION_GZIP if gzip else telemetry_pb2.COMPRESSION_UNSPECIFIED
