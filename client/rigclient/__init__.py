"""rigclient: live telemetry and laps of a sim rig, as numpy tables.

    import rigclient

    with rigclient.connect() as rig:
        for frame in rig.physics(channels=["speed", "engine_rpm"]):
            print(frame.session_time, frame.player.speed)
        for info in rig.laps(best_of="car"):
            print(info.driver, info.lap_time, rig.lap(info.name).speed.max())

`rigclient.aio.connect` is the same for asyncio.
"""

from rig.errors import (
    BadRequest,
    Busy,
    Corrupt,
    CursorExpired,
    DatabaseMissing,
    Denied,
    Exhausted,
    FileMissing,
    ForeignCursor,
    MalformedCursor,
    MalformedToken,
    Mismatch,
    MissingChannel,
    Newer,
    NotFound,
    Pinned,
    Raced,
    Refused,
    RigError,
    RingMissing,
    TokenExpired,
    Unauthenticated,
    Unavailable,
    UnknownChannel,
    Unreachable,
    WrongKey,
    WrongPassphrase,
    WrongPassword,
)
from rig.infos import LapInfo, SessionInfo
from rigclient import aio
from rigclient.blocking import Laps, Rig, connect
from rigclient.connection import Stream
from rigclient.frames import Car, Frame, PhysicsFrame, ScoringFrame
from riglap.lap import Lap, ScoringRows

__all__ = [
    "BadRequest",
    "Busy",
    "Car",
    "Corrupt",
    "CursorExpired",
    "DatabaseMissing",
    "Denied",
    "Exhausted",
    "FileMissing",
    "ForeignCursor",
    "Frame",
    "Lap",
    "LapInfo",
    "Laps",
    "MalformedCursor",
    "MalformedToken",
    "Mismatch",
    "MissingChannel",
    "Newer",
    "NotFound",
    "PhysicsFrame",
    "Pinned",
    "Raced",
    "Refused",
    "Rig",
    "RigError",
    "RingMissing",
    "ScoringFrame",
    "ScoringRows",
    "SessionInfo",
    "Stream",
    "TokenExpired",
    "Unauthenticated",
    "Unavailable",
    "UnknownChannel",
    "Unreachable",
    "WrongKey",
    "WrongPassphrase",
    "WrongPassword",
    "aio",
    "connect",
]
