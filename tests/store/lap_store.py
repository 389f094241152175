"""A data directory with sessions and laps in it, as an archiver leaves it."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from rig.channels import LAP, PHYSICS, SCORING
from rig.lapfile import LapFile, pack
from rig.v1 import archive_pb2, lap_pb2, session_pb2
from rigd.store.commands import CommandQueue, process
from rigd.store.store import Store
from rigd.wake import Listener

SESSION = "sessions/20261120-134500-meander-valley-race-5f3a-1"
START_NS = 1_700_000_000_000_000_000
STEP_S = 0.02
SAMPLES = 500
CHANNELS = ("seq", "capture_time_ns", "session_time", "lap_time", "distance", "speed", "gear", "tyre_temp")
TRIGGERS = (1, 2, 1, 1 | 8, 1, 16, 1, 4)
"""Of the scoring updates of every lap, one a second."""

Columns = dict[str, np.ndarray[Any, np.dtype[Any]]]


def session(name: str = SESSION, **fields: Any) -> session_pb2.Session:
    """A race."""
    usual: dict[str, Any] = {
        "track_name": "Meander Valley Grand",
        "kind": session_pb2.SESSION_KIND_RACE,
        "source": session_pb2.SESSION_SOURCE_DEMO,
        "status": session_pb2.SESSION_STATUS_COMPLETED,
        "start_time_ns": START_NS,
    }
    return session_pb2.Session(name=name, **usual | fields)


def lap(car: int = 12, index: int = 3, parent: str = SESSION, **fields: Any) -> lap_pb2.Lap:
    """A lap that counts. A lap time of None is absent."""
    usual: dict[str, Any] = {
        "name": f"{parent}/laps/car{car:03d}-{index:04d}",
        "kind": lap_pb2.LAP_KIND_LAP,
        "driver": "A. Alder",
        "vehicle": "Copper Racing #12",
        "vehicle_class": "GT3",
        "lap_time": 90.0 + index,
        "valid": True,
        "complete": True,
        "track_name": "Meander Valley Grand",
        "start_time_ns": START_NS + index * 100_000_000_000 + car,
        "bytes": 1000,
    }
    return lap_pb2.Lap(car=car, index=index, number=index, **usual | fields)


def samples(rows: int = SAMPLES) -> Columns:
    """10 s at 50 Hz; the car stands still for the last fifth."""
    time_s = np.arange(rows) * STEP_S
    number = np.arange(rows)
    made = {
        "seq": number + 1,
        "capture_time_ns": START_NS + number * 20_000_000,
        "session_time": 100 + time_s,
        "lap_time": time_s,
        "distance": np.minimum(time_s, time_s[-1] * 0.8) * 50 if rows else time_s,
        "speed": number,
        "gear": number % 7,
        "tyre_temp": number[:, None] + np.arange(12) / 12,
    }
    return {name: values.astype(dtype(name, PHYSICS)) for name, values in made.items()}


def scoring(rows: int = len(TRIGGERS)) -> Columns:
    """One update a second."""
    number = np.arange(rows)
    made = {
        "lap_time": number,
        "session_time": 100 + number,
        "triggers": np.array(TRIGGERS)[:rows],
        "place": number % 3 + 1,
    }
    return {name: values.astype(dtype(name, SCORING)) for name, values in made.items()}


def dtype(name: str, table: Any) -> np.dtype[Any]:
    return (LAP.by_name.get(name) or table.by_name[name]).dtype


class LapStore:
    """Writes laps into a data directory and into its index."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.store = Store.open(data)
        self.store.index.put_session(session())

    def put(
        self,
        made: lap_pb2.Lap,
        columns: Columns | None = None,
        updates: Columns | None = None,
        *,
        plain: bool = False,
    ) -> bytes:
        """Write a lap's file and list it; returns the file."""
        header = archive_pb2.LapHeader(lap=made, session=session())
        columns, updates = columns or samples(), updates or scoring()
        data = pack(header, columns, updates, plain=plain)
        self.store.folder.write(made.name, data)
        listed = lap_pb2.Lap()
        listed.CopyFrom(made)
        listed.bytes, listed.digest = len(data), LapFile(data).digest
        listed.samples = len(columns["lap_time"])
        self.store.index.put_lap(listed)
        return data

    def path(self, made: lap_pb2.Lap) -> Path:
        return self.store.folder.path(made.name)

    def close(self) -> None:
        self.store.close()


class CommandThread(threading.Thread):
    """Carries out commands as the archiver does, woken by its bell."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self._data, self._over = data, threading.Event()
        self.looked = threading.Event()
        """It has looked into the queue once."""

    def run(self) -> None:
        queue, store, listener = (
            CommandQueue(self._data),
            Store.open(self._data),
            Listener(self._data / "wake"),
        )
        while not self._over.wait(0.002):
            listener.take()
            process(queue, store)
            self.looked.set()
        for one in (queue, store, listener):
            one.close()

    def stop(self) -> None:
        self._over.set()
        self.join()
