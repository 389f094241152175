"""The entry list: who is who, kept in the ring by sending it again and again."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from rig.v1 import session_pb2
from rigd.record.encoder import text

Array = np.ndarray[Any, np.dtype[Any]]

_FIELDS: Final = ["mID", "mDriverName", "mVehicleName", "mVehicleClass", "mPitGroup", "mUpgradePack"]


class Entries:
    """The entry list, sent on change and every ten seconds of session clock, so that the ring always holds
    a recent one.
    """

    _AGAIN_S: Final = 10.0

    def __init__(self) -> None:
        self._seen = b""
        self._sent_s = 0.0

    def due(
        self, scoring: Array, compounds: Callable[[], dict[int, tuple[str, str]]], clock_s: float
    ) -> session_pb2.EntryList | None:
        """Return the list when it is time to send it. `compounds` are front and rear tyre by slot id."""
        seen = b"".join(scoring[name].tobytes() for name in _FIELDS)
        if seen == self._seen and abs(clock_s - self._sent_s) < self._AGAIN_S:
            return None
        self._seen, self._sent_s = seen, clock_s
        tyres = compounds()
        return session_pb2.EntryList(entries=[_entry(row, tyres) for row in scoring])


def _entry(row: Any, compounds: dict[int, tuple[str, str]]) -> session_pb2.Entry:
    front, rear = compounds.get(int(row["mID"]), ("", ""))
    return session_pb2.Entry(
        id=int(row["mID"]),
        driver_name=_text(row, "mDriverName"),
        vehicle_name=_text(row, "mVehicleName"),
        vehicle_class=_text(row, "mVehicleClass"),
        pit_group=_text(row, "mPitGroup"),
        vehicle_file=_text(row, "mVehFilename"),
        steam_id=int(row["mSteamID"]),
        front_compound=front,
        rear_compound=rear,
        upgrade_pack=row["mUpgradePack"].tobytes(),
    )


def _text(record: Any, name: str) -> str:
    return text(record[name], record.dtype[name].itemsize)
