"""rigclient: live telemetry and laps of a sim rig, as numpy tables.

    import rigclient

    with rigclient.connect() as rig:
        for frame in rig.physics(channels=["speed", "engine_rpm"]):
            print(frame.session_time, frame.player.speed)
        for info in rig.laps(best_of="car"):
            print(info.driver, info.lap_time, rig.lap(info.name).speed.max())

`rigclient.aio.connect` is the same for asyncio.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rig.errors import (
        BadRequest,
        Busy,
        CodeExpired,
        CodeUsed,
        Corrupt,
        CursorExpired,
        DatabaseMissing,
        Denied,
        Draining,
        Exhausted,
        FileMissing,
        ForeignCursor,
        InUse,
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
        Taken,
        TokenExpired,
        TokenRevoked,
        Unauthenticated,
        Unavailable,
        UnknownChannel,
        Unreachable,
        WrongCode,
        WrongKey,
        WrongPassphrase,
        WrongPassword,
        WrongPin,
        WrongToken,
    )
    from rig.infos import LapInfo, SessionInfo
    from rigclient import aio
    from rigclient.blocking import Laps, Rig, connect
    from rigclient.connection import Stream
    from rigclient.frames import Car, Frame, PhysicsFrame, ScoringFrame
    from rigclient.paired import PairedRig
    from rigclient.pairing import pair
    from riglap.lap import Lap, ScoringRows

__all__ = [
    "BadRequest",
    "Busy",
    "Car",
    "CodeExpired",
    "CodeUsed",
    "Corrupt",
    "CursorExpired",
    "DatabaseMissing",
    "Denied",
    "Draining",
    "Exhausted",
    "FileMissing",
    "ForeignCursor",
    "Frame",
    "InUse",
    "Lap",
    "LapInfo",
    "Laps",
    "MalformedCursor",
    "MalformedToken",
    "Mismatch",
    "MissingChannel",
    "Newer",
    "NotFound",
    "PairedRig",
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
    "Taken",
    "TokenExpired",
    "TokenRevoked",
    "Unauthenticated",
    "Unavailable",
    "UnknownChannel",
    "Unreachable",
    "WrongCode",
    "WrongKey",
    "WrongPassphrase",
    "WrongPassword",
    "WrongPin",
    "WrongToken",
    "aio",
    "connect",
    "pair",
]

_HOMES = {
    "rigclient.blocking": ("Laps", "Rig", "connect"),
    "rigclient.connection": ("Stream",),
    "rigclient.paired": ("PairedRig",),
    "rigclient.pairing": ("pair",),
    "rigclient.frames": ("Car", "Frame", "PhysicsFrame", "ScoringFrame"),
    "riglap.lap": ("Lap", "ScoringRows"),
    "rig.infos": ("LapInfo", "SessionInfo"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load what is asked for: gRPC and numpy take a third of a second, which `rig --help` does without."""
    if name == "aio":
        return importlib.import_module("rigclient.aio")
    if name not in __all__:
        raise AttributeError(f"module 'rigclient' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME.get(name, "rig.errors")), name)


def __dir__() -> list[str]:
    return __all__
