"""Measurements of the lap service, through a real server on loopback: name -> figures."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np

from rig.channels import LAP, PHYSICS, SCORING
from rig.lapfile import pack
from rig.v1 import archive_pb2, lap_pb2, laps_pb2, laps_pb2_grpc, session_pb2
from rigd.store.folder import LapFolder
from rigd.store.index import Index
from tests.stage import Stage, stage

Figures = dict[str, float]

_SESSIONS, _CARS, _LAPS = 100, 40, 25
_ROWS: Final = 5000
"""100 s at 50 Hz."""
_REPEATS: Final = 40

_FILTERS: Final[dict[str, dict[str, Any]]] = {
    "newest": {"order_by": "start_time desc"},
    "fastest": {"order_by": "lap_time", "filter": laps_pb2.LapFilter(valid=True)},
    "of_session": {"parent": "sessions/s0042", "order_by": "lap_time"},
    "of_driver": {"filter": laps_pb2.LapFilter(driver="alder 7", valid=True), "order_by": "lap_time"},
    "of_class_on_track": {
        "filter": laps_pb2.LapFilter(track="valley 3", vehicle_class="gt3", complete=True),
        "order_by": "lap_time",
    },
    "of_week_races": {
        "filter": laps_pb2.LapFilter(
            session_kind=session_pb2.SESSION_KIND_RACE, from_time_ns=20 * 10**15, until_time_ns=40 * 10**15
        )
    },
    "best_of_each_car_of_session": {"parent": "sessions/s0042", "best_of": laps_pb2.BEST_OF_CAR},
    "best_of_each_driver_on_track": {
        "best_of": laps_pb2.BEST_OF_DRIVER,
        "filter": laps_pb2.LapFilter(track="valley 3"),
        "order_by": "lap_time",
    },
    "best_of_each_track": {"best_of": laps_pb2.BEST_OF_TRACK, "order_by": "lap_time"},
}


def listlaps() -> Figures:
    """A page of 50 out of 100,000 laps, for filters that people use: the median of each, and the slowest."""
    with stage() as here:
        _fill(here.data)
        with _connected(here) as stub:
            medians = {
                name: _median_ms(lambda: stub.ListLaps(_request(wanted)))  # noqa: B023  called at once
                for name, wanted in _FILTERS.items()
            }
    figures = {f"listlaps_100k_{name}_ms": value for name, value in medians.items()}
    values = list(medians.values())
    return figures | {"listlaps_100k_ms": float(np.median(values)), "listlaps_100k_worst_ms": max(values)}


def _request(wanted: dict[str, Any]) -> laps_pb2.ListLapsRequest:
    return laps_pb2.ListLapsRequest(**{"parent": "sessions/-"} | wanted)


def _fill(data: Path) -> None:
    """100 sessions of 40 cars with 25 laps each."""
    rng = np.random.default_rng(1)
    index = Index(data / "index.sqlite")
    with index.transaction():
        for number in range(_SESSIONS):
            index.put_session(_session(number))
            for lap in range(_LAPS):
                for car in range(_CARS):
                    index.put_lap(_lap(number, lap, car, rng))
    index.close()


def _session(number: int) -> session_pb2.Session:
    kinds = session_pb2.SessionKind.values()
    return session_pb2.Session(
        name=f"sessions/s{number:04d}",
        track_name=f"Meander Valley {number % 8}",
        kind=kinds[1 + number % 5],
        start_time_ns=number * 10**15,
    )


def _lap(number: int, lap: int, car: int, rng: np.random.Generator) -> lap_pb2.Lap:
    seconds = float(rng.normal(100, 4))
    return lap_pb2.Lap(
        name=f"sessions/s{number:04d}/laps/car{car:03d}-{lap:04d}",
        kind=lap_pb2.LAP_KIND_LAP,
        car=car,
        index=lap,
        number=lap,
        driver=f"A. Alder {(car * 13 + number) % 300}",
        vehicle=f"Copper Racing #{car}",
        vehicle_class=f"GT{car % 4 + 1}",
        track_name=f"Meander Valley {number % 8}",
        lap_time=seconds,
        sector1=seconds * 0.3,
        sector2=seconds * 0.3,
        sector3=seconds * 0.4,
        official=True,
        valid=bool(rng.random() < 0.9),
        complete=True,
        place=car + 1,
        start_time_ns=number * 10**15 + lap * 10**11 + car * 10**7,
        samples=_ROWS,
        bytes=900_000,
    )


def readlap() -> Figures:
    """A whole lap of all channels, against copying its file; and what a viewer asks for."""
    with stage() as here:
        store, name = LapFolder(here.data / "laps"), "sessions/s0000/laps/car000-0000"
        lap = _lap(0, 0, 0, np.random.default_rng(1))
        data = pack(archive_pb2.LapHeader(lap=lap), _columns(PHYSICS, _ROWS), _columns(SCORING, 100))
        store.write(name, data)
        index = Index(here.data / "index.sqlite")
        index.put_lap(lap)
        index.close()
        with _connected(here) as stub:
            whole = _median_ms(lambda: _read(stub, name=name))
            copy = _median_ms(lambda: shutil.copyfile(store.path(name), here.data / "copy"))
            cut = _median_ms(
                lambda: _read(stub, name=name, channels=["speed", "throttle", "brake", "distance"])
            )
            part = laps_pb2.Range(until=30.0)
            ranged = _median_ms(
                lambda: _read(stub, name=name, channels=["speed"], lap_time=part, max_rate_hz=10)
            )
            plain = _median_ms(lambda: _read(stub, name=name, encoding=laps_pb2.ENCODING_COLUMNS))
    return {
        "lap_kb": len(data) / 1000,
        "readlap_ms": whole,
        "copyfile_ms": copy,
        "readlap_vs_copy": whole / copy,
        "readlap_4_channels_ms": cut,
        "readlap_range_ms": ranged,
        "readlap_plain_ms": plain,
    }


def _columns(table: Any, rows: int) -> dict[str, Any]:
    """Every channel: wandering as a car's do, with the noise that the game's numbers have."""
    rng, out = np.random.default_rng(1), {}
    for channel in (*table.channels, *LAP.channels):
        shape = (rows,) if channel.width == 1 else (rows, channel.width)
        steps = rng.normal(0, 1e-3, shape) * (rng.random(rows) < 0.8).reshape(-1, *[1] * (len(shape) - 1))
        values = np.round(np.cumsum(steps, 0) + 1, 4)
        out[channel.name] = (values * (1 if channel.dtype.kind == "f" else 3)).astype(channel.dtype)
    out["lap_time"] = np.arange(rows) * 0.02
    return out


def _read(stub: Any, **fields: Any) -> bytes:
    return b"".join(message.data for message in stub.ReadLap(laps_pb2.ReadLapRequest(**fields)))


class _connected:  # noqa: N801  used as a function
    """A server on the stage's data, and a client of it."""

    def __init__(self, here: Stage) -> None:
        here.serve()
        self._channel = grpc.insecure_channel(here.address)

    def __enter__(self) -> Any:
        return laps_pb2_grpc.LapServiceStub(self._channel)

    def __exit__(self, *_: object) -> None:
        self._channel.close()


def _median_ms(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1e3


if __name__ == "__main__":
    for name, value in (listlaps() | readlap()).items():
        print(f"{name:50} {value:.3g}")
