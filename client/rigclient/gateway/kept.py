"""The past that has left the ring: ticks made of the laps that the rig keeps, in the bytes of its streams.

A lap has one car; what was captured together is put together again by its number.
"""

from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import numpy as np

from rig.channels import PHYSICS, SCORING, Channel, Table
from rig.columns import Head, field, varint
from rig.errors import Exhausted, MissingChannel, RigError
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
_GREEN: Final = 5
_UNKNOWN_FLAG: Final = -1
MOST_BYTES: Final = 256 << 20
"""All channels of 104 cars for one lap are 600 MB: who shows so much names channels."""
_MOST_LAPS: Final = 300
_OF_TICKS: Final = ("seq", "capture_time_ns", "session_time")
"""Columns that laps have beside the channels: from which tick a row is."""

Rows = Any


class Allowance:
    """Bytes of laps that all replays of a rig may hold together."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self.taken: int = 0

    def take(self, count: int) -> None:
        """Take some of it. Raises Exhausted."""
        if self.taken + count > self._most:
            raise Exhausted(
                f"replays hold {self.taken >> 20} MB of laps, and another {count >> 20} MB is too much",
                hint="ask for fewer channels or cars, or close a page",
                limit=self._most,
            )
        self.taken += count

    def give_back(self, count: int) -> None:
        """Give back what is held no longer."""
        self.taken -= count


async def kept_records(
    rig: AsyncRig, allowance: Allowance, wanted: PageEntry, from_ns: int, until_ns: int
) -> AsyncGenerator[Response]:
    """Yield responses with the ticks of these times, unix nanoseconds, as far as laps have them. Channels
    that are made for streams alone are left out. Raises UnknownChannel, MissingChannel for a formula,
    Exhausted.
    """
    if from_ns >= until_ns:
        return
    table = PHYSICS if wanted.stream == "physics" else SCORING
    laps = _KeptLaps(rig, allowance, wanted, _in_laps(table, wanted.channels))
    last_s = -1.0
    told = b""
    try:
        begin_ns: int | None = from_ns
        while begin_ns is not None and begin_ns < until_ns:
            await laps.load(begin_ns)
            if not laps.laps:
                begin_ns = await laps.next_ns(begin_ns)
                continue
            entries = laps.entries() if table is SCORING else b""
            end_ns = begin_ns + _WINDOW_NS
            for time_s, record in _Window(table, laps, begin_ns, min(end_ns, until_ns)).records():
                if wanted.rate_hz and 0 <= time_s - last_s < 1 / wanted.rate_hz - 1e-4:
                    continue
                last_s = time_s
                tail = laps.state(time_s) if table is SCORING else b""
                if entries != told:
                    tail, told = tail + entries, entries
                data = field(_RECORDS_FIELD, record + tail)
                yield Response(data, b"", ((len(data) - len(record) - len(tail), len(data)),), (), 0)
            begin_ns = end_ns
    finally:
        laps.close()


def _in_laps(table: Table, names: tuple[str, ...]) -> tuple[Channel, ...]:
    """Return the channels of the table that are asked for; none asked for: all."""
    for name in names:
        if "=" in name:
            raise MissingChannel(f"{name} is computed live, and laps do not have it", hint="go back less far")
    plain = [name for name in names if name not in table.derived]
    return table.pick(plain or (("id",) if names else ()))


class _KeptLaps:
    """The laps that are shown just now, and the sessions that they are of."""

    def __init__(
        self, rig: AsyncRig, allowance: Allowance, wanted: PageEntry, channels: tuple[Channel, ...]
    ) -> None:
        self._rig, self._allowance, self._wanted = rig, allowance, wanted
        self.channels = channels
        self.laps: dict[str, tuple[LapInfo, Rows]] = {}
        self._sizes: dict[str, int] = {}
        self._states: dict[str, session_pb2.SessionState] = {}

    async def load(self, begin_ns: int) -> None:
        """Read the laps that the next seconds are in, and forget those that are over. Raises Exhausted."""
        for name in [name for name, (info, _) in self.laps.items() if info.end_time_ns <= begin_ns]:
            self._forget(name)
        since, until = (begin_ns - _LONGEST_NS) / SECOND_NS, (begin_ns + _WINDOW_NS) / SECOND_NS
        async for info in self._rig.laps(
            since=max(since, 0.0), until=until, kind="lap", imported=False, order_by="start_time desc"
        ):
            if len(self.laps) < _MOST_LAPS and info.end_time_ns > begin_ns and _is_in(info, self._wanted):
                await self._read(info)

    async def next_ns(self, begin_ns: int) -> int | None:
        """Return when to look again where there is no lap now: nobody walks through years in steps of 20 s;
        None where there is no later lap.
        """
        end_ns = begin_ns + _WINDOW_NS
        later = self._rig.laps(since=end_ns / SECOND_NS, kind="lap", imported=False, order_by="start_time")
        async for info in later:
            if _is_in(info, self._wanted):
                return max(info.start_time_ns, end_ns)
        return None

    def entries(self) -> bytes:
        """Return who is who, as a record of a stream tells it."""
        cars = {info.car: info for info, _ in self.laps.values()}
        entries = [
            session_pb2.Entry(
                id=info.car,
                driver_name=info.driver,
                vehicle_name=info.vehicle,
                vehicle_class=info.vehicle_class,
                pit_group=info.team,
                front_compound=info.front_compound,
                rear_compound=info.rear_compound,
            )
            for _, info in sorted(cars.items())
        ]
        return scoring_pb2.Scoring(entry_list=session_pb2.EntryList(entries=entries)).SerializeToString()

    def state(self, clock_s: float) -> bytes:
        """Return the session as a record tells it, as far as the rig keeps it: the weather is that of its
        end, flags nobody knows, and it is green, because laps were driven.
        """
        info = next(iter(self.laps.values()))[0]
        state = session_pb2.SessionState()
        state.CopyFrom(self._states[_session(info)])
        state.current_time, state.game_phase, state.yellow_flag_state = clock_s, _GREEN, _UNKNOWN_FLAG
        del state.sector_flags[:]
        return scoring_pb2.Scoring(session_state=state).SerializeToString()

    def close(self) -> None:
        """Forget all."""
        for name in list(self.laps):
            self._forget(name)

    async def _read(self, info: LapInfo) -> None:
        if info.name in self.laps:
            return
        try:
            rows = await self._rows(info, [one.name for one in self.channels if one.name != "id"])
            if (session := _session(info)) not in self._states:
                self._states[session] = (await self._rig.session(session)).message.state
        except RigError:
            return  # a damaged lap is one car less
        size = len(rows) * sum(one.row_bytes for one in self.channels)
        self._allowance.take(size)
        self._sizes[info.name] = size
        self.laps[info.name] = (info, rows)

    async def _rows(self, info: LapInfo, names: list[str]) -> Rows:
        """Return the rows with these channels, or those of them that the lap has."""
        read = self._rig.lap if self._wanted.stream == "physics" else self._rig.lap_scoring
        try:
            return await read(info, [*names, *_OF_TICKS])
        except MissingChannel as error:
            have = error.facts.get("channels", "").split(", ")
            return await read(info, [*(name for name in names if name in have), *_OF_TICKS])

    def _forget(self, name: str) -> None:
        del self.laps[name]
        self._allowance.give_back(self._sizes.pop(name))


def _session(info: LapInfo) -> str:
    return info.name.partition("/laps/")[0]


def _is_in(info: LapInfo, wanted: PageEntry) -> bool:
    if wanted.cars == "player":
        return info.player
    return wanted.cars == "all" or info.car in wanted.cars


class _Window:
    """Some seconds of all laps, their rows in the order of ticks and cars."""

    def __init__(self, table: Table, kept: _KeptLaps, from_ns: int, until_ns: int) -> None:
        self._table, self._channels = table, kept.channels
        laps = list(kept.laps.values())
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
        columns = [(one, v[order]) for one in self._channels if (v := self._column(one)) is not None]
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
        """Return a column of all laps. One that a lap does not have is NaN there; None for numbers without a
        fraction, which have no sign for it.
        """
        parts = [_values(channel, *one) for one in self._laps]
        return None if any(part is None for part in parts) else np.concatenate(parts)


def _values(channel: Channel, info: LapInfo, rows: Rows, part: slice) -> Any:
    """Return a lap's part of a column; NaN or None where the lap does not have it."""
    count = part.stop - part.start
    if channel.name == "id":
        return np.full(count, info.car, channel.dtype)
    has_blank = np.issubdtype(channel.dtype, np.floating)
    if channel.name not in rows:
        shape = (count,) if channel.width == 1 else (count, channel.width)
        return np.full(shape, np.nan, channel.dtype) if has_blank else None
    return np.ma.filled(rows[channel.name][part], np.nan if has_blank else 0).astype(channel.dtype)


def _cells(channel: Channel, values: Any) -> bytes:
    """Return a column of a record: tag and length in two bytes each, as rigs write them."""
    data: bytes = values.tobytes()
    return varint(channel.number << 3 | 2, 2) + varint(len(data), 2) + data
