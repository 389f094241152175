"""The doctor on Steam folders: every way to have Steam, every step that may be missing, files that lie."""

import contextlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import Busy, Corrupt
from rigd.check import Check, Level
from rigd.sources.rf2 import keyvalues
from rigd.sources.rf2.installation import check_installations
from rigd.sources.rf2.pluginsettings import check_settings
from rigd.sources.rf2.steam import MAX_LIBRARIES, Steam
from tests.doctor.steamtree import DLL, LMU, RF2, Library, library_file, library_list, manifest


def not_running() -> None:
    """Whether the game runs: it does not."""


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Be somebody who owns nothing: root may read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def look(home: Path, buffers: Path | None = None) -> list[Check]:
    return list(check_installations(home, buffers or home / "shm", not_running))


def only(checks: list[Check], subject: str) -> Check:
    (found,) = (check for check in checks if check.subject == subject)
    return found


def levels(checks: list[Check]) -> set[Level]:
    return {check.level for check in checks}


class TestSteam:
    def test_a_whole_installation_is_well(self, home: Path, native: Library) -> None:
        native.whole()
        checks = look(home)
        assert levels(checks) == {Level.OK}
        assert [check.subject for check in checks] == [
            "steam",
            "game",
            "proton",
            "plugin file",
            "plugin settings",
        ]
        assert "Proton 9.0-4" in only(checks, "proton").what

    def test_no_steam_is_said(self, home: Path) -> None:
        (check,) = look(home)
        assert (check.level, check.subject) == (Level.WARNING, "steam")

    def test_steam_without_a_game_is_said(self, home: Path, native: Library) -> None:
        assert f"steam steam://install/{RF2}" in only(look(home), "game").way_out

    @pytest.mark.parametrize(
        "root",
        [
            ".local/share/Steam",
            ".steam/debian-installation",
            ".var/app/com.valvesoftware.Steam/.local/share/Steam",
            ".var/app/com.valvesoftware.Steam/data/Steam",
            "snap/steam/common/.local/share/Steam",
        ],
    )
    def test_every_kind_of_steam_is_found(self, home: Path, root: str) -> None:
        Library(home / root).list().whole()
        assert only(look(home), "game").level is Level.OK

    @pytest.mark.parametrize("early", [False, True])
    def test_a_game_on_another_drive_is_found(
        self, home: Path, native: Library, tmp_path: Path, early: bool
    ) -> None:
        other = Library(tmp_path / "drive two/Steam Library").whole(LMU)
        third = Library(tmp_path / "third").whole(RF2)
        native.list(other.folder, third.folder, early=early)
        checks = look(home)
        assert levels(checks) == {Level.OK}
        assert {check.what.split(" is in ")[0] for check in checks if check.subject == "game"} == {
            "rFactor 2",
            "Le Mans Ultimate",
        }

    def test_a_drive_that_is_not_mounted_is_said(self, home: Path, native: Library, tmp_path: Path) -> None:
        native.list(tmp_path / "gone").whole()
        check = only(look(home), "steam library")
        assert check.level is Level.WARNING
        assert "gone is listed and not there" in check.what

    def test_one_library_under_many_names_is_one(self, home: Path, native: Library) -> None:
        (home / ".steam/debian-installation").symlink_to(native.folder)
        native.list(home / ".steam/steam", native.folder).whole()
        assert len(Steam(home).libraries) == 1
        assert len(look(home)) == 5

    def test_links_in_a_circle_are_nothing(self, home: Path, native: Library) -> None:
        for name in ("a", "b"):
            (home / name).symlink_to(home / ("b" if name == "a" else "a"))
        (home / ".steam/debian-installation").symlink_to(home / "a")
        (native.folder / "self").symlink_to(native.folder)
        native.list(home / "a", native.folder / "self/self/self").whole()
        checks = look(home)
        assert len(Steam(home).libraries) == 1
        assert [check.subject for check in checks if check.level is not Level.OK] == ["steam library"]

    def test_a_thousand_libraries_are_bounded(self, home: Path, native: Library, tmp_path: Path) -> None:
        folders = [tmp_path / f"l{number}" for number in range(MAX_LIBRARIES + 20)]
        for folder in folders:
            (folder / "steamapps").mkdir(parents=True)
        native.list(*folders)
        assert len(Steam(home).libraries) <= MAX_LIBRARIES

    def test_a_flatpak_is_asked_for_its_memory(self, home: Path) -> None:
        Library(home / ".var/app/com.valvesoftware.Steam/.local/share/Steam").list().whole()
        check = only(look(home), "sandbox")
        assert check.way_out.startswith("flatpak override --user --device=shm com.valvesoftware.Steam")
        override = home / ".local/share/flatpak/overrides/com.valvesoftware.Steam"
        override.parent.mkdir(parents=True)
        override.write_text("[Context]\ndevices=shm;\n")
        assert only(look(home), "sandbox").level is Level.OK

    def test_a_flatpak_whose_buffers_are_here_is_well(self, home: Path, tmp_path: Path) -> None:
        Library(home / ".var/app/com.valvesoftware.Steam/.local/share/Steam").list().whole()
        (tmp_path / "$rFactor2SMMP_Telemetry$").touch()
        assert only(look(home, tmp_path), "sandbox").level is Level.OK


class TestSteps:
    """Each step missing alone: it is named with its way out, and the others are well."""

    def named(self, home: Path, subject: str) -> Check:
        checks = look(home)
        assert [check.subject for check in checks if check.level is not Level.OK] == [subject]
        assert only(checks, subject).way_out
        return only(checks, subject)

    def test_the_game_was_never_started(self, home: Path, native: Library) -> None:
        native.whole()
        shutil.rmtree(native.folder / "steamapps/compatdata")
        assert f"steam steam://rungameid/{RF2}" in self.named(home, "proton").way_out

    def test_the_runtime_is_missing(self, home: Path, native: Library) -> None:
        native.whole()
        (native.folder / f"steamapps/compatdata/{RF2}/pfx/drive_c/windows/system32/msvcr120.dll").unlink()
        assert self.named(home, "runtime").way_out.startswith(f"protontricks {RF2} vcrun2013")

    @pytest.mark.parametrize(("number", "folder"), [(RF2, "Bin64/Plugins"), (LMU, "Plugins")])
    def test_the_plugin_is_missing(self, home: Path, native: Library, number: int, folder: str) -> None:
        native.whole(number).plugin(number).unlink()
        assert f"{folder}' && cp {DLL} " in self.named(home, "plugin file").way_out

    @pytest.mark.parametrize(
        ("data", "what"),
        [
            (library_file(wine=False), "the build for Windows"),
            (library_file(machine=0x14C), "not for 64 bit"),
            (b"", "no program library"),
            (b"MZ" + b"\xff" * 100, "no program library"),
            (b"<html>not found</html>", "no program library"),
        ],
    )
    def test_the_plugin_is_another(self, home: Path, native: Library, data: bytes, what: str) -> None:
        native.whole().plugin(data=data)
        check = self.named(home, "plugin file")
        assert what in check.what
        assert f"then: cp {DLL} " in check.way_out

    @pytest.mark.parametrize("name", [b"/dev/shm/%s", "/dev/shm/".encode("utf-16-le"), b"Z:\\dev\\shm\\%s"])
    def test_the_build_for_wine_is_known_by_the_folder_it_opens(
        self, home: Path, native: Library, name: bytes
    ) -> None:
        native.whole().plugin(data=library_file(name=name))
        assert only(look(home), "plugin file").facts["wine"] is True

    def test_the_settings_are_missing(self, home: Path, native: Library) -> None:
        native.whole().settings().unlink()
        assert "start the game once" in self.named(home, "plugin settings").way_out

    @pytest.mark.parametrize(
        ("values", "edit"),
        [
            ({" Enabled": 0}, '" Enabled": 1'),
            ({" Enabled": "1"}, '" Enabled": 1'),
            ({" Enabled": None}, '" Enabled": 1'),
            ({"UnsubscribedBuffersMask": 163}, '"UnsubscribedBuffersMask": 160'),
            ({"UnsubscribedBuffersMask": 2}, '"UnsubscribedBuffersMask": 0'),
            ({"UnsubscribedBuffersMask": "all"}, '"UnsubscribedBuffersMask": 0'),
            ({"DedicatedServerMapGlobally": 1}, '"DedicatedServerMapGlobally": 0'),
        ],
    )
    def test_a_setting_is_wrong(
        self, home: Path, native: Library, values: dict[str, object], edit: str
    ) -> None:
        native.whole().settings(values)
        check = self.named(home, "plugin settings")
        assert edit in check.way_out
        assert check.fix is not None
        check.fix.make()
        assert levels(look(home)) == {Level.OK}

    def test_a_key_without_its_space_is_told(self, home: Path, native: Library) -> None:
        path = native.whole().settings()
        path.write_text(json.dumps({DLL: {"Enabled": 1}}))
        assert '"Enabled" needs a space in front' in self.named(home, "plugin settings").what

    def test_a_game_that_steam_is_still_loading(self, home: Path, native: Library) -> None:
        native.whole()
        (native.folder / f"steamapps/appmanifest_{RF2}.acf").write_text(manifest(RF2, "rFactor 2", 1026))
        assert "update" in self.named(home, "game").way_out

    def test_a_game_whose_folder_is_gone(self, home: Path, native: Library) -> None:
        shutil.rmtree(native.whole().games[RF2])
        assert "folder is not there" in self.named(home, "game").what

    def test_letters_of_another_case_are_the_same_to_the_game(self, home: Path, native: Library) -> None:
        game = native.whole().games[RF2]
        (game / "UserData/player").rename(game / "UserData/Player")
        (game / "Bin64").rename(game / "BIN64")
        assert levels(look(home)) == {Level.OK}


class TestMending:
    def test_what_was_there_stays_beside_it_and_the_rest_as_it_is(self, native: Library) -> None:
        native.game()
        path = native.settings({" Enabled": 0, "UnsubscribedBuffersMask": 255, "Mine": [1, {"ä": 2.5}]})
        path.chmod(0o640)
        before = path.read_bytes()
        check = check_settings(path, not_running)
        assert check.fix is not None
        assert str(path) in check.fix.make()
        (backup,) = path.parent.glob("*.backup")
        assert backup.read_bytes() == before
        after, was = json.loads(path.read_text()), json.loads(before)
        was[DLL] |= {" Enabled": 1, "UnsubscribedBuffersMask": 252}
        assert after == was
        assert list(after[DLL]) == list(was[DLL])
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert check_settings(path, not_running).level is Level.OK

    def test_an_entry_that_is_not_there_is_made(self, native: Library) -> None:
        native.game()
        path = native.settings()
        path.write_text("\ufeff{}", encoding="utf-8")
        check = check_settings(path, not_running)
        assert check.fix is not None
        check.fix.make()
        assert json.loads(path.read_text()) == {DLL: {" Enabled": 1}}

    def test_a_game_that_runs_would_write_over_it(self, native: Library) -> None:
        native.game()
        path = native.settings({" Enabled": 0})
        before = path.read_bytes()
        check = check_settings(path, lambda: 12)
        assert check.fix is not None
        with pytest.raises(Busy, match="the game runs"):
            check.fix.make()
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]

    def test_a_link_stays_one(self, native: Library, tmp_path: Path) -> None:
        native.game()
        path = native.settings({" Enabled": 0})
        target = path.rename(tmp_path / "elsewhere.json")
        path.symlink_to(target)
        target.chmod(0o600)
        check = check_settings(path, not_running)
        assert check.fix is not None
        assert str(target) in check.fix.question
        check.fix.make()
        (backup,) = tmp_path.glob("*.backup")
        assert {stat.S_IMODE(one.stat().st_mode) for one in (target, backup)} == {0o600}
        assert path.is_symlink()
        assert json.loads(target.read_text())[DLL][" Enabled"] == 1


class TestHostile:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "}",
            '"libraryfolders" {',
            '"libraryfolders" { "0" { "path" "/x" }',
            '"libraryfolders"',
            '"a" "b" "c"',
            '"unfinished',
            "{" * 100,
            '"a" {' * 100 + "}" * 100,
            '"a" "b" ' * 40_000,
            "\0\1\2",
            '"libraryfolders" { "0" "/etc" "1" { "path" { } } "2" { "path" "relative" } }',
            '"libraryfolders" { "0" { "path" "/../../../../proc/self" } }',
        ],
    )
    def test_a_list_of_libraries_may_be_anything(self, home: Path, native: Library, text: str) -> None:
        native.whole()
        (native.folder / "steamapps/libraryfolders.vdf").write_text(text)
        assert only(look(home), "game").level is Level.OK

    @pytest.mark.parametrize("name", ["..", "/etc", "../../../../etc", "", ".", "a/b", "a\\0b"])
    def test_a_manifest_leads_nowhere_else(self, home: Path, native: Library, name: str) -> None:
        native.whole()
        (native.folder / f"steamapps/appmanifest_{RF2}.acf").write_text(manifest(RF2, name))
        check = only(look(home), "game")
        assert "folder is not there" in check.what

    @pytest.mark.parametrize(
        "text", ["", "{", '"AppState" { "StateFlags" "' + "9" * 10_000 + '" }', "\0" * 100]
    )
    def test_a_manifest_may_be_anything(self, home: Path, native: Library, text: str) -> None:
        native.whole()
        (native.folder / f"steamapps/appmanifest_{RF2}.acf").write_text(text)
        assert only(look(home), "game").level is Level.WRONG

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"[]",
            b"null",
            b"{",
            b"\xff\xfe{}",
            b"[" * 200_000,
            b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
            b" " * (2 << 20),
        ],
        ids=lambda data: str(len(data)),
    )
    def test_settings_may_be_anything(self, home: Path, native: Library, data: bytes) -> None:
        native.whole().settings().write_bytes(data)
        check = only(look(home), "plugin settings")
        assert check.level is Level.WRONG
        assert check.fix is None
        assert check.way_out.startswith("mv ")

    @pytest.mark.parametrize("value", [b"3", b'"x"', b"[]", b"null", b"NaN", b"1e999"])
    def test_an_entry_may_be_anything(self, native: Library, value: bytes) -> None:
        native.game()
        path = native.settings()
        for data in (
            value,
            b'{" Enabled": %s}' % value,
            b'{" Enabled": 1, "UnsubscribedBuffersMask": %s}' % value,
        ):
            path.write_bytes(b'{"%s": %s}' % (DLL.encode(), data))
            assert check_settings(path, not_running).level in (Level.OK, Level.WRONG)

    def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(self, home: Path, native: Library) -> None:
        for path in (
            native.whole().settings(),
            native.plugin(),
            native.folder / "steamapps/libraryfolders.vdf",
        ):
            path.unlink()
            os.mkfifo(path)
        assert only(look(home), "plugin settings").level is Level.WRONG
        assert only(look(home), "plugin file").level is Level.WRONG

    def test_a_file_that_is_too_large_is_not_read(self, home: Path, native: Library) -> None:
        os.truncate(native.whole().plugin(), 1 << 40)
        os.truncate(native.folder / "steamapps/libraryfolders.vdf", 1 << 40)
        checks = look(home)
        assert "which is the limit" in only(checks, "plugin file").what
        assert "which is the limit" in only(checks, "steam library").what

    @given(st.text())
    def test_the_reader_ends_whatever_it_reads(self, text: str) -> None:
        with contextlib.suppress(Corrupt):
            keyvalues.parse(text)

    @given(
        st.dictionaries(
            st.text(st.characters(exclude_characters='"\\', exclude_categories=["Cs"])), st.text()
        )
    )
    def test_what_is_quoted_is_read_as_it_is(self, values: dict[str, str]) -> None:
        def quoted(text: str) -> str:
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

        written = "\n".join(f"{quoted(key)}\t\t{quoted(value)}" for key, value in values.items())
        lower: dict[str, str] = {}
        for key, value in values.items():
            lower[key.lower()] = value
        assert keyvalues.parse(written) == lower

    def test_a_list_as_steam_writes_it_is_read(self) -> None:
        values = keyvalues.parse(library_list(Path("/a b"), Path('/c"d'.replace('"', "'"))))
        blocks = keyvalues.block(values, "libraryfolders")
        assert keyvalues.text(keyvalues.block(blocks, "0"), "path") == "/a b"

    def test_a_command_runs_nothing_that_stands_in_a_name(
        self, home: Path, native: Library, tmp_path: Path
    ) -> None:
        other = Library(tmp_path / "$(touch owned) `touch owned`'; touch owned #").whole()
        native.list(other.folder)
        other.plugin().unlink()
        command = only(look(home), "plugin file").way_out.partition("then: ")[2]
        (tmp_path / DLL).write_bytes(library_file())
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
        assert not (tmp_path / "owned").exists()
        assert only(look(home), "plugin file").level is Level.OK


class TestForeign:
    """Where one may not look: said, and the rest goes on."""

    @pytest.mark.parametrize(
        ("closed", "subject"),
        [
            ("steamapps/common/rFactor 2/UserData", "plugin settings"),
            ("steamapps/common/rFactor 2/Bin64", "plugin file"),
            ("steamapps/compatdata", "proton"),
        ],
    )
    def test_a_folder_that_is_closed_is_named(self, stranger: Path, closed: str, subject: str) -> None:
        library = Library(stranger / ".local/share/Steam").list().whole()
        (library.folder / closed).chmod(0)
        with nobody():
            checks = look(stranger)
        assert {check.subject for check in checks if check.level is Level.WRONG} == {subject}
        (library.folder / closed).chmod(0o755)

    def test_a_list_that_is_closed_is_named(self, stranger: Path) -> None:
        library = Library(stranger / ".local/share/Steam").list().whole()
        (library.folder / "steamapps/libraryfolders.vdf").chmod(0)
        with nobody():
            check = only(look(stranger), "steam library")
        assert (check.level, "cannot be read" in check.what) == (Level.WRONG, True)

    def test_a_home_that_is_closed_has_no_steam(self, stranger: Path) -> None:
        Library(stranger / ".local/share/Steam").list().whole()
        (stranger / ".local").chmod(0)
        with nobody():
            assert only(look(stranger), "steam").level is Level.WARNING
        (stranger / ".local").chmod(0o755)
