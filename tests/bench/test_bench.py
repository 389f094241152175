"""The bench's pieces work, each for one tiny round. What they measure is for `make bench`."""

import math
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rig.channels import PHYSICS
from rig.columns import Layout
from tests.bench import costs, recorder, sheets, table
from tests.bench.costs_plot import draw
from tests.bench.figures import KEPT, joined, load
from tests.bench.parts import PARTS
from tests.bench.peers import append, fanout, laps, live
from tests.bench.peers.rounds import in_turn
from tests.bench.peers.stores import STORES
from tests.bench.peers.ticks import race_ticks
from tests.stage import answer, stage

TINY = append.Plan(rounds=1, bound=16, fast=4, paced=2, kills=(5,))
DAEMONS = {"redis": "redis-server", "redis_always": "redis-server", "mosquitto": "mosquitto"}
DAEMONS["redis_everysec"] = "redis-server"


def installed(peer: str) -> bool:
    return peer not in DAEMONS or shutil.which(DAEMONS[peer], path="/usr/bin:/usr/sbin:/bin") is not None


def of(figures: dict[str, float], part: str, who: str) -> dict[str, float]:
    head = f"{part}.{who}."
    return {name.removeprefix(head): value for name, value in figures.items() if name.startswith(head)}


@pytest.fixture(scope="module")
def appended() -> dict[str, float]:
    return append.peers_append(TINY)


@pytest.mark.parametrize("store", STORES)
def test_every_store_is_measured_or_reported_as_absent(appended: dict[str, float], store: str) -> None:
    found = of(appended, "append", store)
    if not installed(store):
        assert found == {"absent": 1.0}
        return
    assert all(map(math.isfinite, found.values()))
    assert min(found["fast_p50_ms"], found["paced_cpu_us"], found["kept_kb"]) > 0


@pytest.mark.parametrize("store", ["ours", "sqlite_full", "mcap_fsync"])
def test_a_killed_store_has_what_it_acknowledged(appended: dict[str, float], store: str) -> None:
    assert of(appended, "append", store)["killed_loses_s"] == 0


@pytest.mark.parametrize(("name", "there"), [("sqlite_full", 5), ("mcap_fsync", 5), ("mcap", 0)])
def test_what_a_store_would_leave(tmp_path: Path, name: str, there: int) -> None:
    """A writer of chunks acknowledges ticks that are in no file yet."""
    store, finder = STORES[name](tmp_path, 800), STORES[name](tmp_path, 800)
    for seq in range(1, 6):
        store.append(seq, bytes(35_208))
    assert finder.newest() == there
    finder.close()
    store.close()


@pytest.mark.parametrize("name", ["ours", "sqlite_full", "mcap", "mcap_fsync"])
def test_a_full_store_lets_the_oldest_go(tmp_path: Path, name: str) -> None:
    store = STORES[name](tmp_path, 16)
    for seq in range(1, 101):
        store.append(seq, bytes(35_208))
    assert 8 <= store.held() <= 24
    store.close()


@pytest.fixture(scope="module")
def fanned() -> dict[str, float]:
    return fanout.peers_fanout(fanout.Plan(rounds=1, counts=(2,), seconds=0.8))


@pytest.mark.parametrize("server", ["ours", "grpc", "redis", "foxglove", "mosquitto"])
def test_every_server_is_measured_or_reported_as_absent(fanned: dict[str, float], server: str) -> None:
    found = of(fanned, "fanout", server)
    if not installed(server):
        assert found == {"absent": 1.0}
        return
    assert 0 < found["2.p50_ms"] <= found["2.p99_ms"]
    assert min(found["2.server_us"], found["2.client_us"], found["2.per_s"]) > 0


@pytest.mark.parametrize("place", ["tail", "ring"])
def test_a_tick_is_followed_without_a_server(fanned: dict[str, float], place: str) -> None:
    assert of(fanned, "fanout", place)["1.p50_ms"] > 0


class TestAbsentPeers:
    @pytest.fixture(autouse=True)
    def nothing_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)

    def test_they_are_reported(self) -> None:
        with stage() as here:
            redis = in_turn(["redis_always"], 1, lambda name: append.measured(here, name, TINY))
            mqtt = in_turn(["mosquitto"], 1, lambda kind: fanout.measured(here, kind, fanout.Plan()))
        assert redis == {"redis_always": {"absent": 1.0}}
        assert mqtt == {"mosquitto": {"absent": 1.0}}

    def test_the_others_are_beside_ours(self) -> None:
        figures = live.peers_live(fanout.Plan(rounds=1, counts=(8,), seconds=0.5))
        assert figures["live.mosquitto.absent"] == 1.0
        assert min(figures["live_8_vs_foxglove"], figures["live_8_vs_foxglove_tail"]) > 0
        assert not any("vs_mosquitto" in name for name in figures)

    def test_the_page_says_how_to_get_them(self) -> None:
        page = sheets.SHEETS["append"].markdown({"append.redis_always.absent": 1.0})
        assert "| Redis Streams, fsync always | absent: apt-get install redis-server" in page


@pytest.fixture(scope="module")
def lap() -> dict[str, np.ndarray[Any, Any]]:
    """A second of one car, all channels."""
    ticks = race_ticks(50, 2)
    layout = Layout(PHYSICS, ticks[0], 0, len(ticks[0]))
    views = [layout.view(tick, 0) for tick in ticks]
    return {name: np.array([view[name][0] for view in views]) for name in PHYSICS.by_name}


@pytest.mark.parametrize("name", laps.FORMATS)
def test_every_format_gives_the_lap_back(
    tmp_path: Path, lap: dict[str, np.ndarray[Any, Any]], name: str
) -> None:
    made = laps.FORMATS[name]()
    made.write(lap, tmp_path / "lap")
    found = made.read(tmp_path / "lap", "")
    for channel, column in lap.items():
        whole = found.get(channel)
        if whole is None:
            parts = [found[f"{channel}_{at}"] for at in range(int(np.prod(column.shape[1:], initial=1)))]
            whole = np.array(parts).T.reshape(column.shape)
        np.testing.assert_array_equal(whole, column)
    one = made.touched(tmp_path / "lap", "speed")
    assert 0 < one <= made.touched(tmp_path / "lap", "")


def test_readings_of_a_lap_are_timed(lap: dict[str, np.ndarray[Any, Any]]) -> None:
    figures = laps.read(lap, runs=1)
    assert {name.split(".")[1] for name in figures} == set(laps.FORMATS)
    assert min(figures.values()) > 0


def test_costs_are_measured_and_drawn(tmp_path: Path) -> None:
    axes = {"ring_gb": (0.02,)}
    figures = costs.grown(axes, 0.5)
    assert figures["costs.ring_gb_0.02.recorder_core_pct"] > 0
    assert figures["costs.ring_gb_0.02.server_rss_mb"] > 0
    draw(figures, axes, tmp_path / "costs.svg")
    words = "".join(ElementTree.parse(tmp_path / "costs.svg").getroot().itertext())
    assert "recorder" in words
    assert "GB of a full ring" in words


def test_ratios_are_to_our_row() -> None:
    figures = {"lap.ours.file_kb": 10.0, "lap.mcap.file_kb": 25.0}
    (sheet,) = (sheet for sheet in sheets.SHEETS.values() if sheet.measured(figures))
    assert "| lap file | 10.0 |" in sheet.markdown(figures)
    assert "| MCAP, zstd | 25.0 (2.5 x) |" in sheet.markdown(figures)


def test_a_peer_that_was_absent_may_be_there_the_next_time() -> None:
    before = {"append.redis_always.absent": 1.0, "lap.ours.file_kb": 9.0, "decode_us": 5.0}
    after = joined(before, {"append.redis_always.fast_p50_ms": 2.0})
    assert after == {"append.redis_always.fast_p50_ms": 2.0, "lap.ours.file_kb": 9.0, "decode_us": 5.0}


def test_every_part_says_what_it_measures() -> None:
    assert all(part.__doc__ for part in PARTS.values())


def test_the_recorder_is_measured_beside_the_floor() -> None:
    figures = recorder.tick(recorder.Plan(rounds=1, settle_s=1.0, seconds=0.5))
    times = figures["recorder_core_pct"] / figures["floor_core_pct"]
    assert figures["recorder_vs_floor"] == pytest.approx(times)
    assert figures.get("device_bytes_vs_payload", 1.0) > 0  # some file systems have no device that counts


def test_a_bare_process_counts_what_it_sleeps_over() -> None:
    rate_hz, seconds = 100_000, 0.05  # no machine wakes anybody every 10 us
    with stage() as here:
        woken = answer(here.start("tests.bench.wakeups", str(rate_hz), str(seconds)), 30)
    assert woken["missed"] > 0
    assert woken["missed"] + woken["woken"] >= rate_hz * seconds


@pytest.mark.parametrize("template", table.PAGES, ids=lambda path: path.name)
def test_a_page_is_what_its_template_and_the_figures_give(template: Path) -> None:
    assert table.PAGES[template].read_text() == table.page(template.read_text(), load(KEPT))


def test_a_template_is_filled() -> None:
    words = "{decode_us} us or {decode_us:.2f}, {aim decode_vs_protobuf}\n{sheet lap}"
    page = table.page(words, {"decode_us": 5.0, "lap.ours.file_kb": 9.0})
    assert page.startswith("5.00 us or 5.00, \u2265 10\nReading a lap")
    assert "| lap file | 9.00 |" in page


@pytest.mark.parametrize("hole", ["{decode_hours}", "{aim decode_hours}", "{sheet decode}"])
def test_a_template_names_what_exists(hole: str) -> None:
    with pytest.raises(KeyError):
        table.page(hole, {})
