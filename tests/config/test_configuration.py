"""The configuration: what holds of file, environment and command line, and every mistake with its line."""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rig.errors import BadRequest, Denied, FileMissing, RigError
from rigd.__main__ import rigd_command
from rigd.commands.daemons import _serving as serving
from rigd.config import settings
from rigd.config.annotated import default_file
from rigd.config.effective import Effective, Origin, changes, merged, taken_up
from rigd.config.file import find, read
from rigd.config.kinds import Location, ModelName, Secret, SecretText
from rigd.config.settings import BY_KEY, SETTINGS, Setting

FREE = (Location, ModelName, Secret)
"""Kinds that take nearly every word."""
NAMES = pytest.mark.parametrize("one", SETTINGS, ids=lambda one: one.key)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither variables nor a file of the one who tests."""
    for one in SETTINGS:
        monkeypatch.delenv(one.variable, raising=False)
    monkeypatch.delenv("RIGD_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rigd.toml"
    path.write_text(text)
    return path


def told(tmp_path: Path, text: str, **environment: str) -> Effective:
    return merged(read(written(tmp_path, text)), environment)


def mistakes(tmp_path: Path, text: str, **environment: str) -> list[str]:
    """What is wrong, a line each, without the folder."""
    with pytest.raises(BadRequest) as caught:
        told(tmp_path, text, **environment)
    return [line.replace(f"{tmp_path}/", "") for line in str(caught.value).splitlines()]


def ran(*words: str) -> Result:
    return CliRunner().invoke(rigd_command, ["config", *words])


class TestWhatHolds:
    def test_without_a_file_the_defaults(self) -> None:
        found = merged(None, {})
        assert all(found[one] == one.usual() and found.origin(one) is Origin.DEFAULT for one in SETTINGS)

    def test_the_environment_is_over_the_file_and_a_flag_over_both(self, tmp_path: Path) -> None:
        text = '[archive]\nkeep = "20G"\nkeep_days = 3\nkeep_marks = "1G"\n'
        found = told(tmp_path, text, RIGD_KEEP_DAYS="4", RIGD_KEEP_MARKS="2G").under(
            {settings.KEEP_MARKS.key: 3 << 30}
        )
        assert (found[settings.KEEP], found[settings.KEEP_DAYS]) == (20 << 30, 4.0)
        assert found[settings.KEEP_MARKS] == 3 << 30
        places = [found.values[f"archive.{name}"].place for name in ("keep", "keep_days", "keep_marks")]
        assert places == [f"{tmp_path}/rigd.toml:2", "environment RIGD_KEEP_DAYS", "flag --keep-marks"]

    def test_drivers_are_users_by_their_name_in_the_game(self, tmp_path: Path) -> None:
        text = '[users.birch]\ndrivers = ["A", "B ö"]\n[users."el.m"]\ndrivers = ["C"]\n[users.oak]\n'
        assert told(tmp_path, text).drivers == {"A": "birch", "B ö": "birch", "C": "el.m"}

    def test_sections_and_dotted_keys_are_the_same(self, tmp_path: Path) -> None:
        found = told(tmp_path, 'archive.keep = "1G"\n')
        assert found[settings.KEEP] == 1 << 30
        assert found.values["archive.keep"].place.endswith("rigd.toml:1")

    def test_a_home_is_found_and_a_relative_path_is_not_taken(self, tmp_path: Path) -> None:
        assert told(tmp_path, 'data = "~/rig"\n')[settings.DATA] == Path.home() / "rig"
        assert mistakes(tmp_path, 'data = "rig"\n') == [
            'rigd.toml:1: data is "rig", which is no absolute path (begin with / or ~/)'
        ]

    def test_the_file_with_explanations_says_the_defaults(self, tmp_path: Path) -> None:
        found = told(tmp_path, default_file())
        assert all(found[one] == one.usual() for one in SETTINGS)
        said = tomllib.loads(default_file())
        named = {key for table in said.values() if isinstance(table, dict) for key in table} | {*said}
        assert {one.name for one in SETTINGS if not one.default_text} <= named
        assert all(f"{one.name} =" in default_file() for one in SETTINGS)

    def test_every_name_is_there_once(self) -> None:
        for names in (
            [one.key for one in SETTINGS],
            [one.variable for one in SETTINGS],
            [one.flag for one in SETTINGS if one.flag],
        ):
            assert all(names)
            assert len(set(names)) == len(names)


class TestMistakes:
    def test_all_are_listed_with_line_value_limit_and_the_nearest_key(self, tmp_path: Path) -> None:
        text = """\
data = 5
[archive]
keep = "50Q"
kep_days = 3
keep_marks = 1
[record]
commit_every = 11.5
keep_unsynced = true
[serv]
address = 1
[users.birch]
driver = ["A"]
[users.elm]
drivers = "A"
"""
        assert mistakes(tmp_path, text, RIGD_LOG_LEVEL="loud") == [
            "the configuration has 10 mistakes:",
            "rigd.toml:1: data is 5, which is no path (an absolute path, or ~/...)",
            'rigd.toml:3: archive.keep is "50Q", which is no size (write 512M or 4G)',
            "rigd.toml:4: there is no setting archive.kep_days (did you mean archive.keep_days?)",
            "rigd.toml:5: archive.keep_marks is 1, which is too small (16M is the least)",
            "rigd.toml:7: record.commit_every is 11.5, which is out of bounds (0 to 10 s)",
            "rigd.toml:8: there is no setting record.keep_unsynced (did you mean archive.keep_unsynced?)",
            "rigd.toml:10: there is no setting serv.address (did you mean serve.addresses?)",
            'environment RIGD_LOG_LEVEL: log_level is "loud", which is none of the words that there are '
            "(debug, info, warning, error)",
            "rigd.toml:12: there is no setting users.birch.driver (did you mean users.birch.drivers?)",
            'rigd.toml:14: users.elm.drivers is "A", which is no list of drivers (a list of names in the '
            "game, each of 1 to 64 characters)",
        ]

    WRONG: tuple[str, ...] = (
        *(
            "-1",
            "0.5",
            "nan",
            "inf",
            "-inf",
            "99999999999999999999999999",
            "1e400",
            "true",
            "[]",
            "[1]",
            "{}",
        ),
        *('""', '"\\u0000"', '"\\u001b[31m"', '"x/y"', '"4 G"', '"²"', '["a:b"]', '["127.0.0.1:7340", 7]'),
        *('["127.0.0.1:1", "127.0.0.1:1"]', "1979-05-27", '"0.0.0.0:9464"', '"unix:/x"', "{ a = 1 }"),
    )

    @NAMES
    def test_every_setting_wrong_in_every_way_gives_its_line(self, tmp_path: Path, one: Setting[Any]) -> None:
        wrong = 0
        for given in self.WRONG:
            text = (
                f"\n[{one.section}]\n{one.name} = {given}\n" if one.section else f"\n\n{one.key} = {given}\n"
            )
            try:
                told(tmp_path, text)
            except BadRequest as error:
                wrong += 1
                (line,) = str(error).splitlines()
                assert line.startswith((f"{tmp_path}/rigd.toml:3: {one.key} is ", f"{tmp_path}/rigd.toml: "))
                assert line.isprintable()
                assert line.endswith(")")
            except RigError as error:  # nan is TOML, 1e400 is inf
                pytest.fail(repr(error))
        assert wrong >= len(self.WRONG) - (12 if isinstance(one.kind, FREE) else 10)

    @NAMES
    def test_so_does_its_variable(self, one: Setting[Any]) -> None:
        for text in ("nan ", "-1e999", "9" * 40, "\x1b[31m", "a b\0", "²"):
            try:
                merged(None, {one.variable: text})
            except BadRequest as error:
                said = str(error)
                assert said.startswith(f"environment {one.variable}: {one.key} is ")
                assert said.isprintable()
            else:
                assert isinstance(one.kind, FREE)

    @NAMES
    def test_so_does_its_flag(self, one: Setting[Any]) -> None:
        if not one.flag or one.flag == "--address" or isinstance(one.usual(), bool):
            return
        if isinstance(one.kind, type(settings.DATA.kind)):
            return  # a path may have any name
        done = ran(one.flag, "nan")
        if one is not settings.INSTANCE:
            assert done.exit_code == 2
            assert f"'{one.flag}'" in done.output
            assert "nan" in done.output

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("data = \n", "is no TOML: Invalid value (at line 1, column 8)"),
            ("[archive\n", "is no TOML: Expected ']'"),
            ("data = 'a'\ndata = 'b'\n", "is no TOML: Cannot overwrite a value (at line 2"),
            ("x = " + "[" * 5000, "is no TOML: "),
            ("x = " + "9" * 5000, "is no TOML: "),
            ("archive = 5\n", "rigd.toml:1: archive is 5, which is no section ([archive])"),
            ("users = []\n", "rigd.toml:1: users is [], which is no section ([users])"),
            ("[[users]]\n", "users is [{}], which is no section ([users])"),
            ("users.a = 5\n", "rigd.toml:1: users.a is 5, which is no section ([users.a])"),
            ('[users." a"]\n', 'users. a: " a" is no name of a user'),
            ('[users.""]\n', 'users.: "" is no name of a user'),
            (
                "[users.a]\ndrivers=['X']\n[users.b]\ndrivers=['X']\n",
                'users.b.drivers has "X", who is a already',
            ),
            ("[nothing]\n", "there is no section nothing"),
            ("[archive.keep]\nx = 1\n", "rigd.toml:2: there is no setting archive.keep.x"),
            ("[archive.keep]\n", "archive.keep is {}, which is no size"),
        ],
    )
    def test_what_is_no_configuration_at_all(self, tmp_path: Path, text: str, why: str) -> None:
        with pytest.raises(BadRequest) as caught:
            told(tmp_path, text)
        assert why in str(caught.value)

    def test_a_file_of_mistakes_is_not_repeated_whole(self, tmp_path: Path) -> None:
        text = "".join(f"key{number} = {number}\n" for number in range(20_000))
        said = mistakes(tmp_path, text + f"{'x' * 5000} = '{'y' * 5000}'\n")
        assert said[0] == "the configuration has 20001 mistakes:"
        assert (len(said), said[-1]) == (52, "and 19951 more")

    def test_a_long_key_is_shortened(self, tmp_path: Path) -> None:
        (said,) = mistakes(tmp_path, f"{'x' * 5000} = '{'y' * 5000}'\n")
        assert len(said) < 500


class TestTheAssistant:
    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ("http://models.example/v1", "would be read on the way (https://models.example/v1)"),
            ("http://127.0.0.1.evil.example/v1", "would be read on the way"),
            ("https://a:pass@models.example/v1", "holds a password"),
            ("ftp://models.example", "is no address"),
            ("https://", "is no address"),
            ("https://models.example:99999/v1", "is no address"),
            ("https://models.example/v1?key=x", "is no address"),
            ("https://models.example/\u00e4", "is no address"),
            ("models.example", "is no address"),
        ],
    )
    def test_an_address_is_https_or_loopback(self, tmp_path: Path, given: str, why: str) -> None:
        (said,) = mistakes(tmp_path, f'assistant.url = "{given}"\n')
        assert why in said
        assert "pass" not in said.partition("which")[0]

    @pytest.mark.parametrize(
        "given", ["https://models.example/v1/", "http://localhost:11434/v1", "http://[::1]:1/v1", ""]
    )
    def test_such_are_taken_without_a_slash_at_the_end(self, tmp_path: Path, given: str) -> None:
        found = told(tmp_path, f'assistant.url = "{given}"\n')
        assert found[settings.ASSISTANT_URL] == given.rstrip("/")

    def test_the_key_is_shown_nowhere(self, tmp_path: Path) -> None:
        path = written(tmp_path, 'assistant.key = "sk-secret"\n')
        found = merged(read(path), {})
        assert found[settings.ASSISTANT_KEY].reveal() == "sk-secret"
        assert "sk-" not in repr(found)
        for words in ((), ("--json",)):
            done = ran("--config", str(path), *words)
            assert "***" in done.output
            assert "sk-" not in done.output
        (said,) = mistakes(tmp_path, 'assistant.key = "sk-secret with blanks"\n')
        assert "assistant.key is ***, which is no key" in said

    def test_another_key_is_a_change(self, tmp_path: Path) -> None:
        before, after = (merged(None, {"RIGD_ASSISTANT_KEY": key}) for key in ("a", "b"))
        assert changes(before, after, "serve") == (["assistant.key"], [])
        assert SecretText("a") == before[settings.ASSISTANT_KEY]

    def test_a_key_in_a_file_that_others_read_is_refused(self, tmp_path: Path) -> None:
        path = written(tmp_path, '[assistant]\nkey = "sk-secret"\n')
        path.chmod(0o644)
        with pytest.raises(Denied, match="mode 0644"):
            serving(merged(read(path), {}))
        path.chmod(0o600)
        assert serving(merged(read(path), {})).assistant.key.reveal() == "sk-secret"

    def test_two_keys_are_one_too_many(self, tmp_path: Path) -> None:
        both = {"RIGD_ASSISTANT_KEY": "a", "RIGD_ASSISTANT_KEY_FILE": "/k"}
        with pytest.raises(BadRequest, match="give one of them"):
            serving(merged(None, both))


class TestTheFile:
    def test_it_must_not_be_writable_by_everybody(self, tmp_path: Path) -> None:
        path = written(tmp_path, "")
        path.chmod(0o666)
        with pytest.raises(Denied, match=r"can be written by everybody \(mode 0666\) \(chmod o-w it\)"):
            read(path)
        path.chmod(0o664)
        read(path)

    def test_it_must_be_ours_or_roots(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path, us = written(tmp_path, ""), os.geteuid()
        if us == 0:
            os.chown(path, 12345, -1)
        else:
            monkeypatch.setattr(os, "geteuid", lambda: us + 1)
        with pytest.raises(Denied, match="belongs to user"):
            read(path)

    def test_what_is_no_file_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        for path in (tmp_path / "fifo", tmp_path, Path("/dev/null")):
            with pytest.raises(BadRequest, match="is no regular file"):
                read(path)

    def test_neither_is_one_without_end_read(self, tmp_path: Path) -> None:
        path = written(tmp_path, "#" * (1 << 20) + "\n")
        with pytest.raises(BadRequest, match="more than 1048576 bytes"):
            read(path)
        path.write_bytes(b"data = '\xff'\n")
        with pytest.raises(BadRequest, match="no UTF-8 text: byte 8 is 255"):
            read(path)

    @pytest.mark.parametrize("text", ["a." * 100_000 + "a=1", f"[{'a.' * 1000}a]", "a=" + "[" * 2000])
    def test_one_that_is_nested_without_end_is_refused(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(BadRequest, match="nested too deeply"):
            read(written(tmp_path, text))

    def test_what_is_printed_steers_no_terminal(self, tmp_path: Path) -> None:
        path = written(tmp_path, '[users.ann]\ndrivers = ["\\u009b31m\\u202e\\u001b[2J"]\n')
        for words in ((), ("--json",)):
            printed = ran("--config", str(path), *words).output
            assert "\\u009b31m\\u202e" in printed
            assert printed.replace("\n", "").isprintable()

    def test_one_that_is_named_must_be_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert find(None) is None
        with pytest.raises(FileMissing, match="no configuration file"):
            find(str(tmp_path / "no.toml"))
        monkeypatch.setenv("RIGD_CONFIG", str(tmp_path / "no.toml"))
        with pytest.raises(FileMissing, match="no configuration file"):
            find(None)
        assert find("") is None

    def test_the_usual_one_is_the_users_or_that_of_the_service(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = tmp_path / "home/rigd/rigd.toml"
        own.parent.mkdir(parents=True)
        own.write_text("")
        assert find(None) == own
        monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/rigd")
        assert find(None) != own
        monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(own.parent))
        assert find(None) == own


class TestCommand:
    def test_it_shows_what_holds_and_why(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = written(tmp_path, '[archive]\nkeep = "20G"\n[users.birch]\ndrivers = ["A B"]\n')
        monkeypatch.setenv("RIGD_RING_SIZE", "1G")
        done = ran("--config", str(path), "--keep-days", "3", "--address", "127.0.0.1:1")
        lines = [line.split(maxsplit=2) for line in done.output.splitlines()]
        shown = {key: rest for key, _, rest in lines}
        assert shown["archive.keep"] == f'"20G"  # {path}:2'
        assert shown["record.ring_size"] == '"1G"  # environment RIGD_RING_SIZE'
        assert shown["archive.keep_days"] == "3  # flag --keep-days"
        assert shown["serve.addresses"] == '["127.0.0.1:1"]  # flag --address'
        assert shown["log_level"] == '"info"  # default'
        assert shown["users.birch"].startswith('"A B"')
        told = json.loads(ran("--config", str(path), "--json").output)
        assert told["file"] == str(path)
        assert told["drivers"] == {"A B": "birch"}
        keep = next(one for one in told["settings"] if one["key"] == "archive.keep")
        assert (keep["value"], keep["origin"], keep["source"]) == (20 << 30, "file", f"{path}:2")
        assert {one["key"] for one in told["settings"]} == {*BY_KEY}

    def test_it_lists_mistakes_and_ends_as_refused(self, tmp_path: Path) -> None:
        done = ran("--config", str(written(tmp_path, "a = 1\nb = 2\n")))
        assert done.exit_code == 2
        assert [line.partition(": ")[2][:8] for line in done.output.splitlines()[1:]] == ["there is"] * 2

    def test_a_file_with_mistakes_keeps_neither_help_nor_the_default_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RIGD_CONFIG", str(written(tmp_path, "a = 1\n")))
        assert ran("--default").output == default_file()
        assert ran("--help").exit_code == 0

    def test_help_says_defaults_bounds_and_variables(self) -> None:
        text = " ".join(ran("--help").output.split())
        for one in SETTINGS:
            if one.flag:
                assert one.flag in text
                assert one.variable in text
        assert "default: 50G; 16M to 1024T; RIGD_KEEP]" in text


class TestReloading:
    def test_what_a_daemon_takes_up_and_what_needs_a_restart(self, tmp_path: Path) -> None:
        before = told(tmp_path, "")
        after = told(
            tmp_path,
            'log_level = "debug"\n[record]\nring_size = "1G"\n[limits]\nreads = 3\n'
            '[users.elm]\ndrivers = ["A"]\n',
        )
        assert changes(before, after, "record") == (["log_level", "users"], ["record.ring_size"])
        assert changes(before, after, "serve") == (["log_level", "limits.reads", "users"], [])
        held = taken_up(before, after)
        assert (held[settings.READS], held[settings.RING_SIZE]) == (3, 4 << 30)
        assert changes(held, after, "record") == ([], ["record.ring_size"])
