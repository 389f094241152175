"""Corners beside laps: the archiver computes them once, and anew when the circuit has changed."""

import dataclasses
import errno
import multiprocessing
import os
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from rig.v1 import analysis_pb2
from rigd.archive.archiver import Archiver, Settings, archive
from rigd.archive.retention import Limits
from rigd.serve.analysis.lapanalysis import LapAnalysis
from rigd.store.corners import read_corners
from rigd.store.folder import LapFolder
from rigd.store.viewer import EVERYTHING, Viewer
from rigd.verify.parts import check_rest
from riglap.circuits.shelf import Shelf
from riglap.cornering import fingerprint
from tests.archive.tape import ROOMY, drained
from tests.once import once
from tests.riglap.conftest import real_drive
from tests.stage import until


@pytest.fixture
def raced(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A race that is archived, its circuit known, and all its corners kept."""
    return shutil.copytree(once(tmp_path_factory, "raced-real", real_drive), tmp_path / "data")


def kept(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(data.glob("laps/*/*.lap.corners"))}


def whole(data: Path) -> set[str]:
    archiver = Archiver(Settings(data, ROOMY))
    names = {f"{name.rpartition('/')[2]}.lap.corners" for name in archiver.store.index.whole_laps()}
    archiver.close()
    return names


def strip(data: Path) -> None:
    for path in data.glob("laps/*/*.corners"):
        path.unlink()


def edited(data: Path) -> None:
    """Change the circuit as `rigd circuit FILE` does: one corner is gone, another ends later."""
    shelf = Shelf(data / "circuits")
    circuit = shelf.newest(shelf.layouts()[0])
    first, *others = circuit.corners
    shelf.add(circuit.with_corners([dataclasses.replace(first, end=first.end + 5), *others[:-1]]))


def test_every_whole_lap_has_the_corners_of_its_circuit(raced: Path) -> None:
    """Numbered as the circuit is, also the laps that came before it was known."""
    assert whole(raced) == set(kept(raced))
    (layout,) = Shelf(raced / "circuits").layouts()
    circuit = Shelf(raced / "circuits").newest(layout)
    for path in raced.glob("laps/*/*.corners"):
        found, _ = read_corners(path) or pytest.fail("it is not there")
        assert found.fingerprint == fingerprint(circuit)
        if not found.trouble:
            assert [one.corner for one in found.corners] == [one.number for one in circuit.corners]


def test_a_check_finds_nothing_wrong_with_them(raced: Path) -> None:
    assert kept(raced)
    assert list(check_rest(raced, deep=False, with_ring=False, progress=lambda *_: None)) == []


def test_what_is_served_is_what_would_be_computed(raced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laps = LapAnalysis(raced)
    names = [name for name in LapFolder(raced / "laps").laps() if laps._kept(name, EVERYTHING)]
    assert len(names) > 3
    requests = [analysis_pb2.ListCornersRequest(lap=name) for name in names]
    served = [laps.list_corners(one, EVERYTHING).SerializeToString(deterministic=True) for one in requests]
    monkeypatch.setattr(laps, "_kept", lambda *_: None)
    assert served == [
        laps.list_corners(one, EVERYTHING).SerializeToString(deterministic=True) for one in requests
    ]
    monkeypatch.undo()
    assert laps._kept(names[0], Viewer("someone")) is None  # another user's corners are not seen


def test_an_edited_circuit_has_all_corners_computed_anew(raced: Path) -> None:
    before = kept(raced)
    edited(raced)
    laps = LapAnalysis(raced)
    name = next(iter(LapFolder(raced / "laps").laps()))
    assert laps._kept(name, EVERYTHING) is None  # what is old is not served
    archiver = drained(Archiver(Settings(raced, ROOMY)))
    (session,) = archiver.store.folder.sessions()
    listed = archiver.store.index.session(session.name)
    archiver.store.index.check()
    archiver.close()
    assert kept(raced).keys() == before.keys()
    assert all(data != before[name] for name, data in kept(raced).items())
    found = [read_corners(path) for path in raced.glob("laps/*/*.corners")]
    assert listed
    assert listed.corners == sum(one[0].fingerprint for one in found if one and one[0].corners)


def test_laps_of_before_are_caught_up_and_damaged_corners_made_anew(raced: Path) -> None:
    before = kept(raced)
    strip(raced)
    (raced / "index.sqlite").unlink()
    (folder,) = raced.glob("laps/*/")
    damaged = folder / next(iter(before))
    damaged.write_bytes(b"\x89rigCRN\x01 spoiled")
    drained(Archiver(Settings(raced, ROOMY))).close()
    assert kept(raced) == before


def test_a_deleted_lap_takes_its_corners_along(raced: Path) -> None:
    archiver = Archiver(Settings(raced, ROOMY))
    name = archiver.store.index.whole_laps()[0]
    path = archiver.store.folder.corners_path(name)
    used = archiver.store.index.total_bytes()
    both = path.stat().st_size + archiver.store.folder.path(name).stat().st_size
    archiver.store.remove(name, {"why": "deleted on request"})
    assert not path.exists()
    assert archiver.store.index.total_bytes() == used - both
    archiver.close()


def test_retention_takes_corners_along(raced: Path) -> None:
    assert kept(raced)
    archiver = Archiver(Settings(raced, ROOMY))
    archiver._retention.adopt(Limits(max_bytes=0, min_free_bytes=0, hard_floor_bytes=0))
    assert archiver._retention.enforce()
    assert archiver.store.index.total_bytes() == 0
    archiver.close()
    assert not kept(raced)


def test_a_full_disk_is_counted_and_tried_again(raced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept(raced)
    strip(raced)
    real = LapFolder.keep_corners

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(LapFolder, "keep_corners", full)
    archiver = drained(Archiver(Settings(raced, ROOMY)))
    assert archiver._corners.failed == 1  # and lets the disk be
    assert not kept(raced)
    monkeypatch.setattr(LapFolder, "keep_corners", real)
    archiver._corners._look_at = 0.0
    drained(archiver).close()
    assert kept(raced) == before


def _archive(data: Path) -> None:
    """Archive until killed, or alone."""
    own = os.getppid()

    def alone(seconds: float) -> bool:
        time.sleep(seconds)
        return os.getppid() != own

    archive(Settings(data, ROOMY), alone)


def _has(data: Path, wanted: int) -> bool:
    return len(list(data.glob("laps/*/*.lap.corners"))) >= wanted


def test_an_archiver_that_is_killed_again_and_again_comes_to_an_end(raced: Path) -> None:
    before = kept(raced)
    strip(raced)
    spawn = multiprocessing.get_context("spawn")
    for wanted in (1, len(before) // 2, len(before)):
        process = spawn.Process(target=_archive, args=(raced,))
        process.start()
        try:
            until(partial(_has, raced, wanted))
        finally:
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join()
    drained(Archiver(Settings(raced, ROOMY))).close()
    assert kept(raced) == before
