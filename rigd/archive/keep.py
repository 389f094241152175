"""Keeping: a gathered lap becomes a file, and a line of the index."""

from rig.lapfile import LapFile, pack
from rig.v1 import lap_pb2
from rigd.archive.gather import Gathered
from rigd.archive.index import Index
from rigd.archive.store import Store


def keep(store: Store, index: Index, gathered: Gathered) -> lap_pb2.Lap:
    """Write the file and list it. OSError when the disk refuses; then there is neither."""
    data = pack(gathered.header, gathered.samples, gathered.scoring)
    store.write(gathered.header.lap.name, data)
    lap = store.described(gathered.header.lap, len(data), LapFile(data).digest)
    index.put_lap(lap)
    return lap
