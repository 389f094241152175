"""Columns for lap files: of every style a channel can have, and of a car whose parts move together."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from rig.channels import LAP, PHYSICS, SCORING, Channel
from rig.v1 import archive_pb2

Array = np.ndarray[Any, np.dtype[Any]]

SPECIAL = np.array(
    [
        0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF,
        0x00000001, 0x80000001, 0x007FFFFF, 0x7F7FFFFF, 0xFF7FFFFF, 0x3F800000, 0xBF800000, 0x7FC12345,
    ],
    "<u4",
)  # fmt: skip
"""Zeros, infinities, quiet and signalling NaNs with payloads, denormals, the largest, one."""

CHANNELS = {channel.name: channel for channel in (*PHYSICS.channels, *LAP.channels)}
SCORING_CHANNELS = {channel.name: channel for channel in (*SCORING.channels, *LAP.channels)}


def header() -> archive_pb2.LapHeader:
    out = archive_pb2.LapHeader(version="1.2.3")
    out.lap.car, out.lap.driver, out.lap.valid = 7, "A. Alder", True
    out.session.track_name = "Meander Valley"
    out.gaps.add(first_seq=4, last_seq=6, count=3)
    return out


def _bits(rng: np.random.Generator, channel: Channel, rows: int) -> Array:
    raw = rng.integers(0, 256, rows * channel.row_bytes, np.uint8)
    return raw & 1 if channel.dtype.kind == "b" else raw


def _special(rng: np.random.Generator, channel: Channel, rows: int) -> Array:
    if channel.dtype.itemsize == 1:
        return _bits(rng, channel, rows)
    size = rows * channel.row_bytes // 4
    return rng.choice(SPECIAL, size).view(np.uint8)


def _walk(rng: np.random.Generator, channel: Channel, rows: int) -> Array:
    if channel.dtype.kind == "b":
        return _bits(rng, channel, rows)
    values = np.cumsum(rng.normal(0, 3, (rows, channel.width)), axis=0) * 10 + 1e4
    return values.astype(channel.dtype).reshape(-1).view(np.uint8)


def _held(rng: np.random.Generator, channel: Channel, rows: int) -> Array:
    short = _walk(rng, channel, rows // 10 + 1).reshape(rows // 10 + 1, channel.row_bytes)
    return np.repeat(short, 10, axis=0)[:rows].reshape(-1)


def _constant(rng: np.random.Generator, channel: Channel, rows: int) -> Array:
    return np.tile(_bits(rng, channel, 1), rows)


def _decimal(rng: np.random.Generator, channel: Channel, rows: int) -> Array:
    if channel.dtype.kind == "b":
        return _bits(rng, channel, rows)
    values = np.cumsum(rng.integers(0, 5, rows * channel.width)) / 100
    return values.astype(channel.dtype).view(np.uint8)


STYLES = (_bits, _special, _walk, _held, _constant, _decimal)


def column(rng: np.random.Generator, channel: Channel, rows: int, style: int) -> Array:
    values = STYLES[style](rng, channel, rows).view(channel.dtype)
    return values if channel.width == 1 else values.reshape(rows, channel.width)


def table(channels: Mapping[str, Channel], names: list[str], rows: int, seed: int) -> dict[str, Array]:
    """Columns of mixed styles, the same for the same arguments."""
    rng = np.random.default_rng(seed)
    return {name: column(rng, channels[name], rows, int(rng.integers(len(STYLES)))) for name in names}


def tables(channels: Mapping[str, Channel]) -> st.SearchStrategy[dict[str, Array]]:
    return st.builds(
        table,
        st.just(channels),
        st.lists(st.sampled_from(sorted(channels)), max_size=12, unique=True),
        st.sampled_from((0, 1, 2, 3, 8, 17, 300, 1100)),
        st.integers(0, 2**32 - 1),
    )


def drive(rows: int = 1200, seed: int = 1) -> dict[str, Array]:
    """A lap whose channels belong together as those of a car do."""
    rng = np.random.default_rng(seed)
    time = np.arange(rows) / 50
    heave, yaw = np.cumsum(rng.normal(0, 1e-4, (rows, 4)), axis=0) + 0.05, np.sin(time / 7) * 2
    velocity = np.stack([np.sin(time), 0.1 * np.cos(time), -50 - 20 * np.sin(time / 9)], axis=1)
    pitch, roll = 0.02 * np.sin(time * 1.7), 0.03 * np.cos(time * 1.3)
    speed = np.sqrt((velocity.astype(np.float32).astype(float) ** 2).sum(axis=1))
    load = 4000 + rng.normal(0, 80, (rows, 4))
    return {
        "elapsed_time": np.arange(31250, 31250 + 2 * rows, 2) / 100,
        "lap_start_time": np.full(rows, 312.49),
        "local_velocity": velocity.astype("<f4"),
        "orientation": _rotation(yaw, pitch, roll).astype("<f4"),
        "suspension_deflection": heave.astype("<f4"),
        "camber": (-0.05 - 0.55 * heave).astype("<f4"),
        "tyre_load": load.astype("<f4"),
        "tyre_deflection": (load / 250_000).astype("<f4"),
        "speed": speed.astype("<f4"),
        "gear": np.clip(speed // 12, 1, 6).astype("<i4"),
        "seq": np.arange(1000, 1000 + rows).astype("<u8"),
        "session_time": np.arange(31250, 31250 + 2 * rows, 2) / 100,
        "lap_time": np.arange(31250, 31250 + 2 * rows, 2) / 100 - 312.49,
        "game_distance": (np.floor(time * 5) * 10).astype("<f4"),
    }


def _rotation(yaw: Array, pitch: Array, roll: Array) -> Array:
    (sy, sp, sr), (cy, cp, cr) = np.sin([yaw, pitch, roll]), np.cos([yaw, pitch, roll])
    rows = [cy * cr + sy * sp * sr, sy * sp * cr - cy * sr, sy * cp]
    rows += [cp * sr, cp * cr, -sp]
    rows += [cy * sp * sr - sy * cr, sy * sr + cy * sp * cr, cy * cp]
    return np.stack(rows, axis=1)


def same(left: Mapping[str, Array], right: Mapping[str, Array]) -> bool:
    """Equal to the bit, type and shape."""
    return left.keys() == right.keys() and all(
        (left[name].dtype, left[name].shape, left[name].tobytes())
        == (right[name].dtype, right[name].shape, right[name].tobytes())
        for name in left
    )
