"""Every command there is, found in the tree of commands itself: wrong input, and streams that take nothing.

A command that is added is tried here without anybody naming it.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from rig.errors import RigError
from rigclient.cli.main import rig
from rigd.__main__ import rigd_command

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"rig": (rig, "rigclient"), "rigd": (rigd_command, "rigd")}
WRONG = (
    "",
    "nan",
    "inf",
    "-1",
    "1e999",
    "9" * 40,
    "\0",
    "\udcff",
    "\x1b[31m",
    "[/]",
    "?",
    "/",
    "no/such/place",
)
"""Words that at some place mean nothing: to a number, a name, a file, a folder, an address, a moment."""


def leaves(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*words, name))
        else:
            yield (*words, name), command


COMMANDS = {
    " ".join(words): command
    for name, (group, _) in PROGRAMS.items()
    for words, command in leaves(group, (name,))
}


def tried(command: click.Command, wrong: str) -> Iterator[list[str]]:
    """Command lines with the wrong word at one place each."""
    needed = [param for param in command.params if isinstance(param, click.Argument)]
    rest = ["x" for param in needed if param.required]
    for at in range(len(needed)):
        words = [*rest]
        words[at : at + 1] = [wrong]
        yield ["--", *words]
    for param in command.params:
        if isinstance(param, click.Option) and not param.is_flag:
            yield [param.opts[0], wrong, "--", *rest]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with nothing but what cannot be read, and a home in it."""
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "RIGD_DATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("RIG_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("RIGD_BUFFERS", str(tmp_path / "buffers"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tellable(result: Any) -> str:
    """How it ended, where that is not as it should."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return repr(result.exception)
    return "a trace" if "Traceback" in result.output else ""


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_words_end_in_a_sentence(here: Path, name: str) -> None:
    program, *words = name.split()
    group, _ = PROGRAMS[program]
    odd = {}
    for wrong in WRONG:
        for more in tried(COMMANDS[name], wrong):
            if not refused_early(COMMANDS[name], more):
                continue  # it means something: what it does then is not tried here
            result = CliRunner().invoke(group, [*words, *more], input="")
            if said := tellable(result):
                odd[(*words, *more)] = said
    assert odd == {}


def refused_early(command: click.Command, words: list[str]) -> bool:
    """Whether the words do not even make a call of the command."""
    try:
        if not any("\0" in word for word in words):
            command.make_context("x", list(words))
            return False
    except (click.ClickException, RigError):
        return True
    return True


STREAMS = {
    "full": "{} > /dev/full",
    "closed": "{} >&-",
    "nobody reads": "{} | true",
    "no stdin": "{} <&-",
    "no stderr": "{} 2>&-",
}


def shell(line: str, here: Path, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/client:{ROOT}/proto", **environment}
    words = ["bash", "-o", "pipefail", "-c", line]
    return subprocess.run(words, capture_output=True, timeout=120, check=False, cwd=here, env=env)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_help_on_streams_that_take_nothing_is_no_trace(here: Path, program: str, stream: str) -> None:
    line = STREAMS[stream].format(f"{sys.executable} -m {PROGRAMS[program][1]} --help")
    done = shell(line, here)
    said = done.stderr.decode()
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    if stream in ("full", "closed"):
        assert done.returncode == 1
        assert re.fullmatch(r"error: standard output: .*\n", said)


def streamed(cases: list[tuple[str, list[str], str]]) -> list[tuple[int, str, str]]:
    """What came of command lines on streams: exit code, standard output and error of each."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.streamed"],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        cwd=ROOT,
    )
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


def clean(case: tuple[str, list[str], str], code: int, err: str) -> bool:
    """Whether a command that prints ended as it should on its stream."""
    if "Traceback" in err or "Exception ignored" in err or code < 0:
        return False
    if case[2] in ("full", "closed"):
        return code == 1 and bool(re.fullmatch(r"error: standard output: .*\n", err))
    return code == (141 if case[2] == "nobody reads" else 0) and err == ""


NARROW_STREAMS = ("full", "closed", "nobody reads", "ascii", "latin-1", "narrow", "dumb")


def test_every_command_explains_itself_on_every_stream(here: Path) -> None:
    """Each on one of the streams that refuse and one of those that take little, in turn."""
    cases = [
        (program, [*words, "--help"], stream)
        for at, (program, *words) in enumerate(map(str.split, COMMANDS))
        for stream in (NARROW_STREAMS[at % 3], NARROW_STREAMS[3 + at % 4])
    ]
    ends = streamed(cases)
    odd = [
        (*case, code, err)
        for case, (code, _, err) in zip(cases, ends, strict=True)
        if not clean(case, code, err)
    ]
    assert odd == []
