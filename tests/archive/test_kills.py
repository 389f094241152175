"""`kill -9` of recorder and archiver at random moments: the archives are those of an undisturbed run."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal, get_args

from rig.lapfile import SAMPLES, SCORINGS, LapFile
from rig.v1 import archive_pb2
from tests.archive.lockstep import Lockstep
from tests.faults.campaign import campaign, tries

KILLS = tries(4, 50)
FRAMES = tries(1500, 14_000)
CARS = 4


CLOCKED = ("capture_time_ns", "update_time", "update_distance")
"""Channels that the moment of the capture decides: which tick is the first to know a new update, too."""

Coded = Literal["offset", "size", "crc", "codings", "unpacked"]
CODED: Final[tuple[Coded, ...]] = get_args(Coded)


def archives(folder: Path, buffers: Path, kills: int) -> dict[str, Any]:
    """What each lap file holds, without the capture clock, by the lap's own name."""
    lockstep = Lockstep(buffers, folder, cars=CARS, frames=FRAMES, kills=kills, seed=11)
    try:
        lockstep.run()
    finally:
        lockstep.close()
    return {path.name: content(path) for path in sorted(folder.glob("laps/*/[!.]*.lap"))}


def content(path: Path) -> Any:
    with LapFile.open(path) as file:
        file.verify()
        blocks = {
            (section, name): file.column(name, section).tobytes()
            for section in (SAMPLES, SCORINGS)
            for name in file.channels(section)
            if name not in CLOCKED
        }
        return timeless(file.header), blocks


def timeless(header: archive_pb2.LapHeader) -> str:
    """The head without what the capture clock, and the name of the session made of it, decide, and without
    how blocks are coded: an archiver that is killed has learned less of the laps before.
    """
    for column in header.columns:
        for coded in CODED:
            column.ClearField(coded)
        if column.name in CLOCKED:
            column.Clear()
    for event in header.events:
        event.capture_time_ns = 0
    lap, session = header.lap, header.session
    lap.name = session.name = session.ring = ""
    lap.start_time_ns = lap.end_time_ns = session.start_time_ns = 0
    return str(header)


def test_killed_daemons_leave_the_same_archives(tmp_path: Path, buffers: Path) -> None:
    with campaign("kill -9 of recorder or archiver while laps are archived", 2 * KILLS, "laps") as faults:
        with ThreadPoolExecutor() as pool:
            runs = [
                pool.submit(archives, tmp_path / name, buffers / name, kills)
                for name, kills in (("undisturbed", 0), ("killed", KILLS))
            ]
        undisturbed, found = (run.result() for run in runs)
        assert len(undisturbed) >= CARS
        assert found.keys() == undisturbed.keys()
        for name, (head, blocks) in undisturbed.items():
            assert [key for key, block in blocks.items() if found[name][1][key] != block] == [], name
            assert found[name][0] == head, name
        faults.count(2 * KILLS)
