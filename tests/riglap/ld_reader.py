"""A reader of MoTeC .ld files, written from what is known of the format and not from the writer."""

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_NUMBERS = {(7, 4): "<f4", (7, 2): "<f2", **{(a, b): f"<i{b}" for a in (0, 3, 5) for b in (2, 4)}}


@dataclass
class Channel:
    """One channel, in its own unit."""

    name: str
    short: str
    unit: str
    rate: int
    type: tuple[int, int]
    values: np.ndarray[Any, np.dtype[Any]]


@dataclass
class Log:
    """A whole file."""

    marker: int
    event_at: int
    date: str
    time: str
    driver: str
    vehicle: str
    venue: str
    comment: str
    event_comment: str
    """The longer comment, of the event block."""
    channels: dict[str, Channel] = field(default_factory=dict)


def text(data: bytes, at: int, size: int) -> str:
    """A NUL-padded text; one without a NUL does not fit."""
    raw = data[at : at + size]
    assert b"\0" in raw, raw
    return raw.split(b"\0")[0].decode("latin-1")


def read(data: bytes) -> Log:
    """Everything, by walking the list of channels from both sides."""
    marker, first, values_at, event_at = (struct.unpack_from("<I", data, at)[0] for at in (0, 8, 12, 36))
    log = Log(
        marker,
        event_at,
        date=text(data, 94, 16),
        time=text(data, 126, 16),
        driver=text(data, 158, 64),
        vehicle=text(data, 222, 64),
        venue=text(data, 350, 64),
        comment=text(data, 1572, 64),
        event_comment=text(data, event_at + 128, 1024),
    )
    before, at = 0, first
    while at:
        previous, following, place, samples = struct.unpack_from("<4I", data, at)
        assert previous == before, "the list leads back as it leads on"
        assert place >= values_at, "values come after the pointer to them"
        channel = _channel(data, at, place, samples)
        assert channel.name not in log.channels
        log.channels[channel.name] = channel
        before, at = at, following
    return log


def _channel(data: bytes, at: int, place: int, samples: int) -> Channel:
    _, a, b, rate, shift, multiplier, scale, decimals = struct.unpack_from("<4H4h", data, at + 16)
    raw = np.frombuffer(data, _NUMBERS[a, b], samples, place)
    values = raw.astype(np.float64) / scale * 10.0**-decimals * multiplier + shift
    names = (text(data, at + 32, 32), text(data, at + 64, 8), text(data, at + 72, 12))
    return Channel(*names, rate, (a, b), values)
