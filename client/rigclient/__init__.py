"""rigclient: live telemetry of a sim rig, as numpy tables.

    import rigclient

    with rigclient.connect("127.0.0.1:7340") as rig:
        for frame in rig.physics(channels=["speed", "engine_rpm"]):
            print(frame.session_time, frame.player.speed)

`rigclient.aio.connect` is the same for asyncio.
"""

from rig.errors import (
    BadRequest,
    Busy,
    Corrupt,
    CursorExpired,
    Exhausted,
    ForeignCursor,
    MalformedCursor,
    NotFound,
    RigError,
    RingMissing,
    Unavailable,
    UnknownChannel,
)
from rigclient import aio
from rigclient.connection import Rig, Stream, connect
from rigclient.frames import Car, Frame, PhysicsFrame, ScoringFrame

__all__ = [
    "BadRequest",
    "Busy",
    "Car",
    "Corrupt",
    "CursorExpired",
    "Exhausted",
    "ForeignCursor",
    "Frame",
    "MalformedCursor",
    "NotFound",
    "PhysicsFrame",
    "Rig",
    "RigError",
    "RingMissing",
    "ScoringFrame",
    "Stream",
    "Unavailable",
    "UnknownChannel",
    "aio",
    "connect",
]
