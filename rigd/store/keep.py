"""Keeping: a gathered lap becomes a file, and a line of the index."""

from typing import Final

from rig.errors import Exhausted
from rig.lapfile import HEAD_LIMIT, LapFile, pack
from rig.v1 import archive_pb2, lap_pb2
from rigd.gather.gather import Gathered
from rigd.store.folder import LapFolder
from rigd.store.index import Index

_HEAD_ROOM: Final = HEAD_LIMIT - (1 << 18)
"""Bytes of a head without its columns, which have 22 kB today."""


def keep(store: LapFolder, index: Index, gathered: Gathered, room: int | None = None) -> lap_pb2.Lap:
    """Write the file and list it. OSError when the disk refuses, Exhausted when the file needs more than
    `room` bytes; then there is neither.
    """
    _fit(gathered.header)
    data = pack(gathered.header, gathered.samples, gathered.scoring)
    if room is not None and len(data) > room:
        raise Exhausted(f"an excerpt has {len(data)} bytes, marks have room for {room}", limit=room)
    store.write(gathered.header.lap.name, data)
    lap = store.described(gathered.header.lap, len(data), LapFile(data).digest)
    index.put_lap(lap)
    return lap


def _fit(header: archive_pb2.LapHeader) -> None:
    """Shorten a head that is longer than a file has room for: gaps of a stream and reason become one, and the
    last events go.
    """
    if header.ByteSize() <= _HEAD_ROOM:
        return
    gaps = list(header.gaps)
    del header.gaps[:]
    for kind in dict.fromkeys((gap.stream, gap.reason) for gap in gaps):
        alike = [gap for gap in gaps if (gap.stream, gap.reason) == kind]
        one = header.gaps.add()
        one.CopyFrom(alike[0])
        one.last_seq, one.end_time_ns = alike[-1].last_seq, alike[-1].end_time_ns
        one.count, one.detail = sum(gap.count for gap in alike), f"{len(alike)} gaps in one"
    while header.events and header.ByteSize() > _HEAD_ROOM:
        del header.events[len(header.events) // 2 :]
