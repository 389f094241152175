"""What the doctor finds of the game's memory, and what it advises."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rigd.check import Check, Level
from rigd.sources.rf2.doctor import check_memory
from rigd.sources.rf2.gameprocess import find_game
from rigd.sources.rf2.layout import BUFFERS, Telemetry
from tests.sources.plugin import Plugin


def examine(
    folder: Path, meanwhile: Callable[[], None] = lambda: None, game: int | None = None
) -> dict[str, Check]:
    """The checks by subject; `meanwhile` happens between the two looks."""
    return {
        each.subject: each for each in check_memory(folder, wait=lambda _: meanwhile(), game=lambda: game)
    }


def healthy(found: dict[str, Check]) -> bool:
    """Whether nothing stands in the way of recording."""
    return all(check.level is not Level.WRONG for check in found.values())


def drive(plugin: Plugin) -> Callable[[], None]:
    """A game that is being played."""

    def play() -> None:
        plugin.drive(1.0)
        plugin.score(1.0)
        plugin.up()

    return play


def test_a_game_that_is_played_is_healthy(folder: Path, plugin: Plugin) -> None:
    found = examine(folder, drive(plugin), game=99)
    assert healthy(found)
    assert {each.level for each in found.values()} == {Level.OK}
    assert found["source"].facts["state"] == "live"
    assert [found[buffer.name].facts["state"] for buffer in BUFFERS] == ["moving"] * 3
    assert found["game process"].facts == {"pid": 99}
    assert found["plugin"].facts["version"] == "3.7.15.1"


def test_each_buffer_is_described(folder: Path, plugin: Plugin) -> None:
    facts = examine(folder, drive(plugin))["Telemetry"].facts
    assert facts["file"] == str(folder / Telemetry.file_name)
    assert (facts["size_bytes"], facts["begin"], facts["end"], facts["moving"]) == (241_680, 1, 1, True)
    assert (facts["mode"], isinstance(facts["age_s"], float)) == ("-rw-r--r--", True)
    assert isinstance(facts["owner"], str)


def test_nothing_there_says_how_to_switch_the_plugin_on(folder: Path) -> None:
    found = examine(folder)
    assert not healthy(found)
    assert found["source"].facts["state"] == "absent"
    assert '" Enabled"' in found["plugin"].way_out
    assert [found[buffer.name].facts["state"] for buffer in BUFFERS] == ["absent"] * 3


def test_yesterdays_memory_is_told_from_a_game_in_its_menu(folder: Path, plugin: Plugin) -> None:
    assert examine(folder)["source"].facts["state"] == "stale"
    in_menu = examine(folder, game=99)
    assert in_menu["source"].facts["state"] == "waiting"
    assert healthy(in_menu)


def test_a_monitor_is_healthy(folder: Path, plugin: Plugin) -> None:
    found = examine(folder, lambda: plugin.score(1.0))
    assert found["source"].facts["state"] == "monitor"
    assert healthy(found)


def test_a_frame_left_open_is_named(folder: Path, plugin: Plugin) -> None:
    plugin.telemetry.begin()
    assert examine(folder)["Telemetry"].facts["state"] == "open"


def test_a_short_file_is_named(folder: Path, plugin: Plugin) -> None:
    os.truncate(folder / Telemetry.file_name, 10)
    found = examine(folder)["Telemetry"]
    assert (found.facts["state"], found.level, found.facts["size_bytes"]) == ("short", Level.WRONG, 10)


def test_a_file_cut_between_the_looks_is_named(folder: Path, plugin: Plugin) -> None:
    found = examine(folder, lambda: os.truncate(folder / Telemetry.file_name, 0))
    assert (found["Telemetry"].facts["state"], found["source"].facts["state"]) == ("cut", "truncated")


def test_an_unsubscribed_buffer_and_a_wrong_version_are_not_healthy(folder: Path, plugin: Plugin) -> None:
    plugin.up(mask=161)
    found = examine(folder)
    assert "leaves out Telemetry" in found["plugin"].what
    assert (found["source"].facts["state"], healthy(found)) == ("unsubscribed", False)
    plugin.up(b"3.8.1.0")
    assert examine(folder)["plugin"].level is Level.WRONG


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    assert examine(tmp_path / "nowhere")["buffers"].level is Level.WRONG


def test_whatever_is_not_well_has_a_way_out(folder: Path, plugin: Plugin) -> None:
    def check() -> None:
        for each in examine(folder).values():
            assert bool(each.way_out) == (each.level is not Level.OK), each

    check()
    plugin.telemetry.begin()
    check()
    plugin.up(mask=161)
    check()
    plugin.up(b"3.8.1.0")
    check()


@pytest.mark.parametrize(
    ("command", "is_game"),
    [
        (b"Z:\\steam\\rFactor2.exe\0+autologin\0", True),
        (b"/opt/wine/rFactor2.EXE\0", True),
        (b"Le Mans Ultimate.exe\0", True),
        (b"rFactor2 Dedicated.exe\0", False),
        (b"grep\0rFactor2.exe\0", False),
        (b"", False),
    ],
)
def test_the_game_is_known_by_its_program_only(tmp_path: Path, command: bytes, is_game: bool) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "7").mkdir()
    (tmp_path / "12").mkdir()
    (tmp_path / "12" / "cmdline").write_bytes(command)
    assert find_game(tmp_path) == (12 if is_game else None)
