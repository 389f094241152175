"""The past that has left the ring: ticks made of the laps that the rig keeps, in the bytes of its streams.

A lap has one car; what was captured together is put together again by its number.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import numpy as np

from rig.channels import PHYSICS, SCORING, Channel, Table
from rig.columns import Head, field, varint
from rig.errors import MissingChannel, RigError
from rig.infos import LapInfo
from rig.v1 import scoring_pb2, session_pb2
from rigclient.aio import AsyncRig
from rigclient.gateway.pace import SECOND_NS
from rigclient.gateway.selection import PageEntry
from rigclient.resume import Response

_WINDOW_NS: Final = 20 * SECOND_NS
_LONGEST_NS: Final = 1800 * SECOND_NS
"""A lap that began earlier is not looked for."""
_RECORDS_FIELD: Final = 2
_MOST_LAPS: Final = 300
_OF_TICKS: Final = ("seq", "capture_time_ns", "session_time")
"""Columns that laps have beside the channels: from which tick a row is."""

Rows = Any


async def kept_records(
    rig: AsyncRig, wanted: PageEntry, from_ns: int, until_ns: int
) -> AsyncIterator[Response]:
    """Yield responses with the ticks of these times, unix nanoseconds, as far as laps have them. Raises
    UnknownChannel, MissingChannel for one that is not in laps.
    """
    table = PHYSICS if wanted.stream == "physics" else SCORING
    for name in wanted.channels:
        if "=" in name:
            raise MissingChannel(f"{name} is computed live, and laps do not have it", hint="go back less far")
    channels = table.pick(wanted.channels)
    laps: dict[str, tuple[LapInfo, Rows]] = {}
    last_s, first = -1.0, True
    for begin_ns in range(from_ns, until_ns, _WINDOW_NS):
        await _load(rig, wanted, laps, begin_ns)
        window = _Window(table, channels, list(laps.values()), begin_ns, min(begin_ns + _WINDOW_NS, until_ns))
        for time_s, record in window.records():
            if wanted.rate_hz and 0 <= time_s - last_s < 1 / wanted.rate_hz - 1e-4:
                continue
            last_s = time_s
            tail = _entries(laps) if first and table is SCORING else b""
            first = False
            head = field(_RECORDS_FIELD, record + tail)
            yield Response(head, b"", ((len(head) - len(record) - len(tail), len(head)),), (), 0)


async def _load(
    rig: AsyncRig, wanted: PageEntry, laps: dict[str, tuple[LapInfo, Rows]], begin_ns: int
) -> None:
    """Read the laps that the next seconds are in, and forget those that are over."""
    for name in [name for name, (info, _) in laps.items() if info.end_time_ns <= begin_ns]:
        del laps[name]
    since, until = (begin_ns - _LONGEST_NS) / SECOND_NS, (begin_ns + _WINDOW_NS) / SECOND_NS
    async for info in rig.laps(since=max(since, 0.0), until=until, kind="lap", order_by="start_time desc"):
        if (
            len(laps) < _MOST_LAPS
            and info.name not in laps
            and info.end_time_ns > begin_ns
            and _is_in(info, wanted)
        ):
            try:
                laps[info.name] = (info, await _rows(rig, wanted, info))
            except RigError:
                continue  # a damaged lap is one car less


async def _rows(rig: AsyncRig, wanted: PageEntry, info: LapInfo) -> Rows:
    channels = [name for name in wanted.channels if name != "id"]
    channels += _OF_TICKS if channels else ()
    if wanted.stream == "physics":
        return await rig.lap(info, channels)
    return await rig.lap_scoring(info, channels)


def _is_in(info: LapInfo, wanted: PageEntry) -> bool:
    if wanted.cars == "player":
        return info.player
    return wanted.cars == "all" or info.car in wanted.cars


class _Window:
    """Some seconds of all laps, their rows in the order of ticks and cars."""

    def __init__(
        self,
        table: Table,
        channels: tuple[Channel, ...],
        laps: list[tuple[LapInfo, Rows]],
        from_ns: int,
        until_ns: int,
    ) -> None:
        self._table, self._channels = table, channels
        self._player = next((info.car for info, _ in laps if info.player), -1)
        self._laps = []
        for info, rows in sorted(laps, key=lambda lap: lap[0].car):
            times = np.asarray(rows.capture_time_ns)
            begin, end = np.searchsorted(times, [from_ns, until_ns])
            if begin < end:
                self._laps.append((info, rows, slice(int(begin), int(end))))

    def records(self) -> Iterator[tuple[float, bytes]]:
        """Yield session clock and record of each tick."""
        if not self._laps:
            return
        seqs = self._joined("seq")
        order = np.argsort(seqs, kind="stable")
        seqs = seqs[order]
        times, clocks = self._joined("capture_time_ns")[order], self._joined("session_time")[order]
        session = self._laps[0][0].session
        columns = [(one, self._column(one)[order]) for one in self._channels]
        bounds = np.flatnonzero(np.diff(seqs, prepend=seqs[0] - 1, append=seqs[-1] + 1))
        for at, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            head = Head(
                int(seqs[at]),
                int(times[at]),
                session,
                float(clocks[at]),
                0,
                self._table.schema,
                end - at,
                self._player,
                False,
                True,
            )
            yield float(clocks[at]), head.pack() + b"".join(_cells(one, v[at:end]) for one, v in columns)

    def _joined(self, name: str) -> Any:
        found = np.concatenate([np.asarray(getattr(rows, name))[part] for _, rows, part in self._laps])
        return found.astype(np.int64) if name != "session_time" else found

    def _column(self, channel: Channel) -> Any:
        return np.concatenate([_values(channel, *one) for one in self._laps])


def _values(channel: Channel, info: LapInfo, rows: Rows, part: slice) -> Any:
    """Return a lap's part of a column; zeros where the lap does not have it."""
    count = part.stop - part.start
    if channel.name == "id":
        return np.full(count, info.car, channel.dtype)
    if channel.name not in rows:
        shape = (count,) if channel.width == 1 else (count, channel.width)
        return np.zeros(shape, channel.dtype)
    return np.ma.filled(getattr(rows, channel.name)[part], 0).astype(channel.dtype)


def _cells(channel: Channel, values: Any) -> bytes:
    """Return a column of a record: tag and length in two bytes each, as rigs write them."""
    data: bytes = values.tobytes()
    return varint(channel.number << 3 | 2, 2) + varint(len(data), 2) + data


def _entries(laps: dict[str, tuple[LapInfo, Rows]]) -> bytes:
    """Return who is who, as the first record of a stream tells it."""
    entries = [
        session_pb2.Entry(
            id=info.car,
            driver_name=info.driver,
            vehicle_name=info.vehicle,
            vehicle_class=info.vehicle_class,
            front_compound=info.front_compound,
            rear_compound=info.rear_compound,
        )
        for info, _ in laps.values()
    ]
    return scoring_pb2.Scoring(entry_list=session_pb2.EntryList(entries=entries)).SerializeToString()
