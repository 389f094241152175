"""What the recorder is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rig.v1 import session_pb2
from rigd.config import settings


@dataclass(frozen=True)
class Settings:
    """Settings of the recorder."""

    data: Path
    """Data directory; the ring is `data/ring`."""
    tail_folder: Path
    """Folder in memory for the live tail."""
    limit_bytes: int = settings.RING_SIZE.default
    commit_every_s: float = settings.COMMIT_EVERY.default
    """Time between two commits while there is a live tail; 0: as soon as the disk allows."""
    player_only: bool = False
    """Record the local player's car instead of all."""
    origin: "session_pb2.SessionSource.ValueType" = session_pb2.SESSION_SOURCE_LIVE
    """Where the data come from; a replay that the game shows is found out anyway."""
    drivers: Mapping[str, str] = field(default_factory=dict)
    """Users by the names of their drivers in the game."""
