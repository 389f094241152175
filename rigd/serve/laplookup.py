"""Laps by their names, for those who may see them: what the index knows, and the file."""

from rig.errors import NotFound
from rig.v1 import lap_pb2
from rigd.store.store import StoreReader
from rigd.store.viewer import Viewer
from riglap.lap import Lap


def listed_lap(store: StoreReader, name: str, viewer: Viewer) -> lap_pb2.Lap:
    """Return what the index knows of a lap. Raises NotFound, also where there is none for the viewer."""
    lap = store.index.lap(name, viewer)
    if lap is None:
        raise NotFound(f"there is no lap {name!r}", name=name)
    return lap


def lap_of_file(store: StoreReader, name: str) -> Lap:
    """Return a lap out of its file. Raises NotFound without one, Corrupt, Newer."""
    try:
        return Lap.open(store.folder.path(name))
    except FileNotFoundError as error:
        raise NotFound(f"there is no lap {name!r}", name=name) from error
