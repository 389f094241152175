"""What a caller asks for, as the contract's messages."""

from collections.abc import Iterable
from typing import Final, Literal

from rig.errors import BadRequest
from rig.v1 import telemetry_pb2

Cars = Literal["all", "player"] | Iterable[int]
"""All cars, the local player's, or some slot ids."""

Start = Literal["now", "earliest", "running_lap"] | bytes | float
"""Now, the oldest record, the running lap, after a cursor, or at a wall clock (unix seconds)."""

Delivery = Literal["complete", "latest"]

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
) -> telemetry_pb2.StreamPhysicsRequest:
    """A request for telemetry ticks."""
    return telemetry_pb2.StreamPhysicsRequest(
        channels=list(channels),
        cars=_cars(cars),
        max_rate_hz=max_rate_hz,
        start=position(start),
        delivery=_DELIVERY[delivery],
        ticks_per_message=ticks_per_message,
        compression=_compression(gzip),
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
) -> telemetry_pb2.StreamScoringRequest:
    """A request for scoring updates."""
    return telemetry_pb2.StreamScoringRequest(
        channels=list(channels),
        cars=_cars(cars),
        max_rate_hz=max_rate_hz,
        start=position(start),
        delivery=_DELIVERY[delivery],
        ticks_per_message=ticks_per_message,
        compression=_compression(gzip),
    )


def events(start: Start = "now") -> telemetry_pb2.StreamEventsRequest:
    """A request for events."""
    return telemetry_pb2.StreamEventsRequest(start=position(start))


_DELIVERY: Final = {
    "complete": telemetry_pb2.DELIVERY_COMPLETE,
    "latest": telemetry_pb2.DELIVERY_LATEST,
}


def position(start: Start) -> telemetry_pb2.Start:
    """Where a stream begins."""
    match start:
        case "now":
            return telemetry_pb2.Start()
        case "earliest":
            return telemetry_pb2.Start(earliest=True)
        case "running_lap":
            return telemetry_pb2.Start(running_lap=True)
        case bytes():
            return telemetry_pb2.Start(cursor=start)
    return telemetry_pb2.Start(time_ns=time_ns(float(start)))


def time_ns(seconds: float) -> int:
    """A wall clock in unix nanoseconds. Raises BadRequest for one that they cannot tell."""
    if not 0 <= seconds < CLOCK_END_S:
        raise BadRequest(f"{seconds} is no wall clock", hint=f"unix seconds, 0 to {CLOCK_END_S}")
    return int(seconds * 1e9)


def slots(cars: Iterable[int]) -> list[int]:
    """Slot ids. Raises BadRequest for numbers that are none."""
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
