"""The client and `rig` against a real server process over a real folder of laps."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rig.errors import BadRequest, MissingChannel, NotFound, Pinned
from rig.lapfile import LapFile
from rigclient import Lap, Rig, aio, connect
from rigclient.cli.main import rig as command
from tests.rigclient import field
from tests.riglap import driven
from tests.stage import Stage, stage
from tests.store.lap_store import CommandThread, LapStore

ALDER = f"{driven.SESSION}/laps/car012-0003"


@pytest.fixture(scope="module")
def place() -> Iterator[Stage]:
    """A server process, and someone who carries out its orders."""
    with stage() as here:
        _fill(LapStore(here.data))
        command_thread = CommandThread(here.data)
        command_thread.start()
        here.serve()
        yield here
        command_thread.stop()


def _fill(lap_store: LapStore) -> None:
    for session in field.sessions():
        lap_store.store.index.put_session(session)
    for data in field.files():
        lap = Lap.from_bytes(data)
        lap_store.store.folder.write(lap.info.name, data)
        info = lap.info.message
        info.bytes, info.digest = len(data), LapFile(data).digest
        lap_store.store.index.put_lap(info)
    lap_store.close()


@pytest.fixture
def rig(place: Stage) -> Iterator[Rig]:
    with connect(place.address) as connection:
        yield connection


@pytest.fixture(scope="module")
def whole() -> Lap:
    """What the file of the lap holds."""
    (data,) = (data for data in field.files() if Lap.from_bytes(data).info.name == ALDER)
    return Lap.from_bytes(data)


def test_every_lap_is_listed_once_whatever_the_pages(rig: Rig) -> None:
    expected = sorted(lap.name for lap in field.laps())
    for size in (1, 3, 1000):
        names = [lap.name for lap in rig.laps(driven.SESSION, page_size=size)]
        assert sorted(names) == expected, size


def test_conditions_and_orders_hold(rig: Rig) -> None:
    fastest = list(rig.laps(driven.SESSION, best_of="class", order_by="lap_time"))
    assert [lap.name.rpartition("/")[2] for lap in fastest] == ["car007-0003", "car012-0003"]
    times = [
        lap.lap_time or 0.0 for lap in rig.laps(valid=True, vehicle_class="gt3", order_by="lap_time desc")
    ]
    assert all(slower >= faster for slower, faster in pairwise(times))
    assert {lap.car for lap in rig.laps(driver="cherry")} == {31}
    assert [session.name for session in rig.sessions(kind="practice")] == [field.OLD]
    with pytest.raises(BadRequest):
        list(rig.laps(order_by="weight"))


def test_a_whole_lap_arrives_bit_by_bit(rig: Rig, whole: Lap) -> None:
    found: list[tuple[int, int]] = []
    lap = rig.lap(ALDER, progress=lambda done, total: found.append((done, total)))
    assert lap.channels == whole.channels
    for name in lap.channels:
        assert lap[name].tobytes() == whole[name].tobytes(), name
    assert found[-1][0] == found[-1][1]


def test_parts_are_what_was_asked_for(rig: Rig, whole: Lap) -> None:
    some = rig.lap(ALDER, ["speed", "tyre_temp"], lap_time=(5.0, 10.0))
    inside = (whole.lap_time >= 5.0) & (whole.lap_time < 10.0)
    assert {"speed", "tyre_temp", "lap_time"} <= set(some.channels)
    assert "gear" not in some
    np.testing.assert_array_equal(some.tyre_temp, whole.tyre_temp[inside])
    stepped = rig.lap(ALDER, ["distance"], step_m=100.0)
    # 0 to 4600 m, and the sample on the line at 4600 m itself.
    assert np.unique(stepped.distance // 100).tolist() == list(range(len(stepped))) == list(range(47))
    slow = rig.lap(ALDER, ["gear"], max_rate_hz=2)
    assert len(slow) == pytest.approx(2 * (whole.info.lap_time or 0.0), abs=1)


def test_scoring_comes_alone(rig: Rig, whole: Lap) -> None:
    rows = rig.lap_scoring(ALDER, ["place"], (3.0, 8.0))
    inside = (whole.scoring.lap_time >= 3.0) & (whole.scoring.lap_time < 8.0)
    np.testing.assert_array_equal(rows.place, whole.scoring.place[inside])


def test_what_is_not_there_is_told_by_its_kind(rig: Rig) -> None:
    with pytest.raises(NotFound):
        rig.lap(ALDER[:-1] + "9")
    with pytest.raises(MissingChannel) as caught:
        rig.lap(ALDER, ["camber"])
    assert "engine_rpm" in caught.value.facts["channels"]


async def test_asyncio_reads_the_same(place: Stage, whole: Lap) -> None:
    async with aio.connect(place.address) as rig:
        assert len([lap async for lap in rig.laps(driven.SESSION, page_size=4)]) == len(field.laps())
        lap = await rig.lap(ALDER)
        assert lap.speed.tobytes() == whole.speed.tobytes()


def test_a_file_comes_as_it_lies_there(rig: Rig, place: Stage) -> None:
    (path,) = place.data.glob("laps/*/car012-0003.lap")
    assert rig.lap_file(ALDER) == path.read_bytes()
    with pytest.raises(NotFound):
        rig.lap_file(ALDER + "x")


async def test_laps_that_a_warehouse_has_are_marked_by_their_digest(rig: Rig, place: Stage) -> None:
    digests = {lap.name: lap.digest for lap in rig.laps(driver="alder")}
    assert digests
    other = next(lap for lap in rig.laps() if lap.name not in digests)
    assert rig.mark_synced({**digests, other.name: other.digest + "0"}) == [other.name]
    assert {lap.name for lap in rig.laps(synced=True)} == digests.keys()
    async with aio.connect(place.address) as same:
        assert await same.mark_synced({other.name: other.digest}) == []
        assert await same.lap_file(other.name) == rig.lap_file(other.name)
    assert rig.lap_info(other.name).synced


def test_pins_and_deletions_are_carried_out(rig: Rig) -> None:
    name = f"{driven.SESSION}/laps/car031-0002"
    assert rig.pin(name).pinned
    with pytest.raises(Pinned):
        rig.delete_lap(name)
    assert not rig.unpin(name).pinned
    rig.delete_lap(name)
    with pytest.raises(NotFound):
        rig.lap_info(name)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("lap best", "car007-0003  M. Birch"),
        ("lap 5f3a-2/car012-0003", "car012-0003  A. Alder"),
        ("lap 12-0002", "car012-0002  A. Alder"),
        ("laps - --all", "5f3a-1/car001-0001"),
        ("sessions --kind practice", field.OLD.removeprefix("sessions/")),
    ],
)
def test_the_command_tells_it(place: Stage, words: str, part: str) -> None:
    result = CliRunner().invoke(command, ["--rig", place.address, *words.split()])
    assert (result.exit_code, result.stderr) == (0, "")
    assert part in result.stdout


def test_the_command_writes_files(place: Stage, whole: Lap, tmp_path: Path) -> None:
    words = ["--rig", place.address, "export", "car012-0003", "--out", str(tmp_path / "lap.csv")]
    result = CliRunner().invoke(command, [*words, "--channels", "gear"])
    assert (result.exit_code, result.stderr) == (0, "")
    lines = (tmp_path / "lap.csv").read_text().splitlines()
    names, *values = [line for line in lines if not line.startswith("#")]
    assert names == "lap_time,distance,gear"
    assert [int(value.rpartition(",")[2]) for value in values] == whole.gear.tolist()


def test_json_of_a_lap_is_that_of_the_index(place: Stage, rig: Rig) -> None:
    result = CliRunner().invoke(command, ["--rig", place.address, "lap", "car012-0003", "--json"])
    assert json.loads(result.stdout)["lap"]["bytes"] == rig.lap_info(ALDER).bytes > 0
