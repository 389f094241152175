"""Every state of the life cycle, brought about with real files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rigd.sources.rf2.layout import BUFFERS, Buffer, Telemetry
from rigd.sources.rf2.source import SENTENCES, SharedMemory, Source, SourceState
from tests.sources.plugin import MS, SECOND, Plugin


def quiet(folder: Path) -> SharedMemory:
    """A source on a machine without the game."""
    return SharedMemory(folder, game=lambda: None)


def playing(folder: Path) -> SharedMemory:
    """A source on a machine where the game runs."""
    return SharedMemory(folder, game=lambda: 4711)


@pytest.fixture
def source(folder: Path, plugin: Plugin) -> SharedMemory:
    """A source that has its baseline, at time 0."""
    source = quiet(folder)
    assert source.state(0) is SourceState.WAITING
    return source


def live(source: SharedMemory, plugin: Plugin) -> None:
    """Bring a source to LIVE at time 0."""
    plugin.drive(1.0)
    assert source.telemetry(0) is not None
    assert source.state(0) is SourceState.LIVE


def test_absent_before_the_plugin_ever_ran(folder: Path) -> None:
    source = quiet(folder)
    assert source.state(0) is SourceState.ABSENT
    assert "CustomPluginVariables.JSON" in source.explain(0)
    assert (source.telemetry(0), source.scoring(0), source.extended(), source.peek()) == (
        None,
        None,
        None,
        False,
    )


@pytest.mark.parametrize("missing", BUFFERS, ids=lambda buffer: buffer.name)
def test_absent_names_the_file_that_is_missing(folder: Path, plugin: Plugin, missing: Buffer) -> None:
    (folder / missing.file_name).unlink()
    source = quiet(folder)
    assert source.state(0) is SourceState.ABSENT
    named = [buffer for buffer in BUFFERS if buffer.file_name in source.explain(0)]
    assert named == [missing]


def test_short_while_the_game_starts_or_a_bridge_is_too_small(folder: Path, plugin: Plugin) -> None:
    os.truncate(folder / Telemetry.file_name, 1000)
    source = quiet(folder)
    assert source.state(0) is SourceState.SHORT
    assert "1000 bytes where 241680" in source.explain(0)


def test_truncated_when_the_game_starts_again(folder: Path, source: SharedMemory, plugin: Plugin) -> None:
    live(source, plugin)
    before = source.epoch
    os.truncate(folder / Telemetry.file_name, 0)
    assert source.state(SECOND) is SourceState.TRUNCATED
    assert Telemetry.file_name in source.explain(SECOND)
    os.truncate(folder / Telemetry.file_name, Telemetry.size)
    plugin.drive(0.1)
    assert source.telemetry(SECOND) is not None
    assert source.state(SECOND) is SourceState.LIVE
    assert source.epoch > before


def test_replaced_when_a_bridge_makes_the_files_anew(
    folder: Path, source: SharedMemory, plugin: Plugin
) -> None:
    live(source, plugin)
    for buffer in BUFFERS:
        (folder / buffer.file_name).unlink()
    with Plugin(folder) as other:
        assert source.state(5 * SECOND) is SourceState.REPLACED
        other.drive(1.0)
        assert source.state(5 * SECOND) is SourceState.LIVE


def test_absent_when_the_files_are_unlinked(folder: Path, source: SharedMemory, plugin: Plugin) -> None:
    live(source, plugin)
    for buffer in BUFFERS:
        (folder / buffer.file_name).unlink()
    assert source.state(5 * SECOND) is SourceState.ABSENT
    assert source.extended() is None


def test_stale_when_everything_is_from_yesterday(folder: Path, plugin: Plugin) -> None:
    plugin.drive(1.0)
    plugin.score(1.0)
    source = quiet(folder)
    assert [source.state(step * SECOND) for step in range(4)] == [
        SourceState.WAITING,
        SourceState.WAITING,
        SourceState.STALE,
        SourceState.STALE,
    ]
    assert source.telemetry(4 * SECOND) is None
    assert source.scoring(4 * SECOND) is None


def test_waiting_while_the_game_sits_in_its_menu(folder: Path, plugin: Plugin) -> None:
    source = playing(folder)
    assert {source.state(step * SECOND) for step in range(60)} == {SourceState.WAITING}


def test_live_then_monitor_then_paused(source: SharedMemory, plugin: Plugin) -> None:
    live(source, plugin)
    plugin.score(1.0)
    assert source.scoring(3 * SECOND) is not None
    assert source.state(3 * SECOND) is SourceState.MONITOR
    assert source.state(6 * SECOND) is SourceState.PAUSED
    assert "3 s" in source.explain(6 * SECOND)


def test_a_paused_game_stays_paused(folder: Path, plugin: Plugin) -> None:
    source = playing(folder)
    source.state(0)
    live(source, plugin)
    assert source.state(3600 * SECOND) is SourceState.PAUSED


def test_gone_when_the_game_was_killed(source: SharedMemory, plugin: Plugin) -> None:
    live(source, plugin)
    assert source.state(9 * SECOND) is SourceState.PAUSED
    assert source.state(11 * SECOND) is SourceState.GONE
    assert "11 s" in source.explain(11 * SECOND)


def test_a_game_that_comes_back_is_live_again(source: SharedMemory, plugin: Plugin) -> None:
    live(source, plugin)
    source.state(60 * SECOND)
    plugin.drive(2.0)
    assert source.state(60 * SECOND) is SourceState.LIVE


def test_plugin_down_after_a_proper_exit(source: SharedMemory, plugin: Plugin) -> None:
    live(source, plugin)
    plugin.shut()
    assert source.state(SECOND) is SourceState.PLUGIN_DOWN
    assert source.telemetry(SECOND) is None


def test_plugin_down_before_the_plugin_says_its_version(folder: Path) -> None:
    with Plugin(folder, up=False) as plugin:
        source = quiet(folder)
        assert source.state(0) is SourceState.PLUGIN_DOWN
        before = source.epoch
        plugin.up()
        plugin.drive(1.0)
        assert source.telemetry(0) is not None
        assert source.epoch > before


@pytest.mark.parametrize("version", [b"3.6.0.9", b"3.8.0.0", b"4.0", b"3.70.1", b"\xff\xfe", b"3.7"])
def test_wrong_version_gives_nothing(folder: Path, version: bytes) -> None:
    with Plugin(folder, up=False) as plugin:
        plugin.up(version)
        source = quiet(folder)
        assert source.state(0) is SourceState.WRONG_VERSION
        plugin.drive(1.0)
        plugin.score(1.0)
        assert (source.telemetry(0), source.scoring(0)) == (None, None)
        assert version.decode("latin-1") in source.explain(0)


@pytest.mark.parametrize("version", [b"3.7.15.1", b"3.7.14.2", b"3.7.99"])
def test_every_3_7_is_read(folder: Path, version: bytes) -> None:
    with Plugin(folder, up=False) as plugin:
        plugin.up(version)
        source = quiet(folder)
        source.state(0)
        live(source, plugin)


def test_wrong_version_of_a_32_bit_game(folder: Path) -> None:
    with Plugin(folder, up=False) as plugin:
        plugin.up(is64bit=False)
        source = quiet(folder)
        assert source.state(0) is SourceState.WRONG_VERSION
        assert "32 bit" in source.explain(0)


@pytest.mark.parametrize(
    ("mask", "named", "wanted"),
    [(161, "Telemetry", "160"), (162, "Scoring", "160"), (3, "Telemetry and Scoring", "0")],
)
def test_unsubscribed_names_the_buffer_and_the_setting(
    folder: Path, mask: int, named: str, wanted: str
) -> None:
    with Plugin(folder, up=False) as plugin:
        plugin.up(mask=mask)
        source = quiet(folder)
        assert source.state(0) is SourceState.UNSUBSCRIBED
        assert source.explain(0).startswith(f"{named} is switched off")
        assert f"set UnsubscribedBuffersMask to {wanted} in" in source.explain(0)


def test_denied_when_the_file_is_somebody_elses(
    folder: Path, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("rigd.sources.rf2.bufferfile.os.open", refuse)
    source = quiet(folder)
    assert source.state(0) is SourceState.DENIED
    assert "may not be read" in source.explain(0)


def test_yesterdays_frame_is_not_given_and_todays_is(folder: Path, plugin: Plugin) -> None:
    plugin.drive(1.0)
    source = quiet(folder)
    assert source.telemetry(0) is None
    assert (source.telemetry_reader.baseline, source.telemetry_reader.version) == (1, 1)
    plugin.drive(2.0)
    frame = source.telemetry(0)
    assert frame is not None
    assert frame.version == 2


def test_extended_is_refreshed_when_it_changes(source: SharedMemory, plugin: Plugin) -> None:
    before = source.extended()
    plugin.extended.begin()
    plugin.extended.array["mExtended"]["mTicksSessionStarted"] = 99
    assert source.extended() is before
    plugin.extended.end()
    after = source.extended()
    assert after is not None
    assert before is not None
    assert (after["mTicksSessionStarted"], before["mTicksSessionStarted"]) == (99, 0)


def test_a_stuck_extended_keeps_its_last_content(source: SharedMemory, plugin: Plugin) -> None:
    plugin.extended.begin()
    plugin.extended.array["mExtended"]["mVersion"] = b"half"
    assert source.state(SECOND) is not SourceState.WRONG_VERSION


def test_the_process_list_is_read_seldom_and_only_while_nothing_moves(folder: Path, plugin: Plugin) -> None:
    asked: list[int] = []
    source = SharedMemory(folder, game=lambda: asked.append(1))
    source.state(0)
    plugin.drive(1.0)
    for step in range(1000):
        source.state(step * 100 * MS)
    assert 15 <= len(asked) <= 20


def test_closing_lets_go_and_reading_on_opens_again(source: SharedMemory, plugin: Plugin) -> None:
    live(source, plugin)
    source.close()
    assert not source.peek()
    plugin.drive(2.0)
    frame = source.telemetry(0)
    assert frame is not None
    assert frame.version == 2


@pytest.mark.parametrize("state", SourceState)
def test_every_state_has_a_sentence(state: SourceState) -> None:
    assert SENTENCES[state].endswith(".")


def test_shared_memory_is_a_source(folder: Path) -> None:
    make: Callable[[Path], Source] = quiet
    assert make(folder).epoch == 0


def test_frames_of_another_version_are_missed_ones_when_ours_is_back(
    source: SharedMemory, plugin: Plugin
) -> None:
    live(source, plugin)
    plugin.up(b"4.0.0.0")
    source.state(0)
    for clock in (2.0, 3.0, 4.0):
        plugin.drive(clock)
        assert source.telemetry(0) is None
    plugin.up()
    plugin.drive(5.0)
    frame = source.telemetry(0)
    assert frame is not None
    assert frame.missed == 3
    plugin.drive(6.0)
    frame = source.telemetry(0)
    assert frame is not None
    assert frame.missed == 0, "told once"
