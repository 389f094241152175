"""Reading through pyRfactor2SharedMemory gives the same samples as reading without it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rig.errors import Unavailable
from rigd.sources.rf2.layout import BUFFERS
from rigd.sources.rf2.pyrf2 import PyRf2
from rigd.sources.rf2.source import SharedMemory, Source, SourceState
from tests.sources import pyrf2_standin
from tests.sources.plugin import SECOND, Plugin

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package of the library's name on the path, made of parts of the stand-in."""

    def install(maps: str, structs: str = "rF2Telemetry, rF2Scoring, rF2Extended") -> None:
        package = tmp_path / "pyRfactor2SharedMemory"
        package.mkdir()
        standin = "from tests.sources.pyrf2_standin import"
        (package / "__init__.py").touch()
        (package / "rF2MMap.py").write_text(f"{standin} {maps}\n")
        (package / "rF2data.py").write_text(f"{standin} {structs}\n")
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    for name in [name for name in sys.modules if name.startswith("pyRfactor2SharedMemory")]:
        del sys.modules[name]


def pair(folder: Path) -> tuple[Source, Source]:
    """Both sources, at their baseline."""
    sources = (SharedMemory(folder, game=lambda: None), PyRf2(folder, game=lambda: None))
    for source in sources:
        assert source.state(0) is SourceState.WAITING
    return sources


@pytest.mark.parametrize("maps", ["MMapControl", "MMapControl as RF2MMap"])
def test_both_sources_give_identical_samples(
    folder: Path, plugin: Plugin, install: Install, maps: str
) -> None:
    install(maps)
    ours, theirs = pair(folder)
    noise = np.random.default_rng(3)
    for step in range(20):
        plugin.telemetry.bytes[16:] = noise.integers(0, 256, plugin.telemetry.bytes.size - 16)
        plugin.drive(1.0 + step, cars=1 + 6 * step)
        plugin.score(1.0 + step, cars=1 + 6 * step)
        for read in ("telemetry", "scoring"):
            mine, other = getattr(ours, read)(0), getattr(theirs, read)(0)
            assert bytes(mine.raw) == bytes(other.raw)
            assert mine.records.tobytes() == other.records.tobytes()
            assert (mine.version, mine.count, mine.missed) == (other.version, other.count, other.missed)


def test_extended_is_the_same(folder: Path, plugin: Plugin, install: Install) -> None:
    install("MMapControl")
    ours, theirs = pair(folder)
    plugin.up(b"3.7.14.2")
    mine, other = ours.extended(), theirs.extended()
    assert mine is not None
    assert other is not None
    assert (mine["mVersion"], mine.tobytes()) == (b"3.7.14.2", other.tobytes())


def test_what_the_library_would_give_torn_is_not_given(
    folder: Path, plugin: Plugin, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("MMapControl")
    _, theirs = pair(folder)
    plugin.drive(1.0)
    monkeypatch.setattr(pyrf2_standin.MMapControl, "after_copy", plugin.telemetry.begin)
    assert theirs.telemetry(0) is None
    assert theirs.telemetry_reader.torn_retries == 1


def test_a_frame_of_the_same_number_after_a_restart_is_read_anew(
    folder: Path, plugin: Plugin, install: Install
) -> None:
    install("MMapControl")
    _, theirs = pair(folder)
    plugin.drive(1.0)
    assert theirs.telemetry(0) is not None
    with Plugin(folder) as again:
        theirs.state(0)
        again.drive(9.0)
        frame = theirs.telemetry(0)
        assert frame is not None
        assert frame.records["mElapsedTime"].tolist() == [9.0] * 3


def test_the_library_gets_no_chance_to_create_a_file(folder: Path, install: Install) -> None:
    install("MMapControl")
    source = PyRf2(folder, game=lambda: None)
    assert [source.state(step * SECOND) for step in range(3)] == [SourceState.ABSENT] * 3
    assert source.telemetry(3 * SECOND) is None
    assert list(folder.iterdir()) == []


def test_without_the_library_it_is_unavailable_and_says_where_to_get_it(folder: Path) -> None:
    with pytest.raises(Unavailable, match="put a current pyRfactor2SharedMemory on the Python path"):
        PyRf2(folder)


def test_an_old_library_without_its_memory_map_is_refused(folder: Path, install: Install) -> None:
    install("mmap")
    with pytest.raises(Unavailable, match="no memory map of Telemetry"):
        PyRf2(folder)


def test_a_library_of_another_layout_is_refused(folder: Path, install: Install) -> None:
    install("MMapControl", "rF2Extended as rF2Telemetry, rF2Scoring, rF2Extended")
    with pytest.raises(Unavailable, match="10152 bytes, not 241680"):
        PyRf2(folder)


def test_files_that_may_not_be_written_are_explained(folder: Path, plugin: Plugin, install: Install) -> None:
    install("Denied as MMapControl")
    with pytest.raises(Unavailable, match="opens the file for writing"):
        PyRf2(folder, game=lambda: None).state(0)
    assert len(list(folder.iterdir())) == len(BUFFERS)
