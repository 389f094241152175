"""Commands that are loaded when they are run: help, version and completion do without them."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from rigclient.cli.main import rig
from rigclient.cli.terminal.group import Group
from rigd.__main__ import rigd_command

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("grpc", "numpy", "pandas", "rich", "google.protobuf", "asyncio", "rigclient.warehouse")


def groups() -> list[Group]:
    context = click.Context(rig)
    found = [rig.get_command(context, name) for name in rig.list_commands(context)]
    return [group for group in (rig, rigd_command, *found) if isinstance(group, Group)]


def loaded_by(program: str, *words: str, **environment: str) -> set[str]:
    """The modules of a process that ran the command line."""
    code = (
        "import sys, atexit\n"
        f"from {program} import main\n"
        f"sys.argv = [{program.partition('.')[0]!r}, *{words!r}]\n"
        "sys.argv[0] = 'rigd' if sys.argv[0] == 'rigd' else 'rig'\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "main()"
    )
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/client:{ROOT}/proto", **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("group", groups(), ids=lambda group: group.name)
def test_the_lines_of_the_help_are_those_of_the_commands(group: Group) -> None:
    context = click.Context(group)
    assert group.lazy
    for name, (_, line) in group.lazy.items():
        command = group.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert (command.help or "").splitlines()[0] == f"{line}."


COMPLETING = {"_RIG_COMPLETE": "bash_complete", "COMP_WORDS": "rig la", "COMP_CWORD": "1"}


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("warehouse", "--help"), ()])
def test_help_loads_no_command(words: tuple[str, ...]) -> None:
    assert loaded_by("rigclient.cli.main", *words).isdisjoint(HEAVY)


def test_completion_loads_no_command() -> None:
    assert loaded_by("rigclient.cli.main", **COMPLETING).isdisjoint(HEAVY)


def test_completion_of_a_command_knows_its_options() -> None:
    asked = {**os.environ, **COMPLETING, "COMP_WORDS": "rig laps --dri", "COMP_CWORD": "2"}
    words = [sys.executable, "-c", "from rigclient.cli.main import rig; rig(prog_name='rig')"]
    done = subprocess.run(words, capture_output=True, text=True, env=asked, check=True)
    assert "--driver" in done.stdout
    asked |= {"COMP_WORDS": "rig la", "COMP_CWORD": "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=asked, check=True)
    assert done.stdout.split() == ["plain,lap", "plain,laps", "plain,layout"]


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("record", "--help")])
def test_help_of_the_daemons_loads_neither_rich_nor_grpc(words: tuple[str, ...]) -> None:
    assert loaded_by("rigd.__main__", *words).isdisjoint({"grpc", "rich", "numpy"})


def test_a_daemon_loads_no_other_command() -> None:
    found = {name for name in loaded_by("rigd.__main__", "record", "--help") if name.startswith("rigd.")}
    commands = {name for name in found if name.startswith("rigd.commands.")}
    assert commands == {"rigd.commands.daemons", "rigd.commands.options"}
    assert found.isdisjoint({"rigd.supervisor", "rigd.auth.tokens", "rigd.install", "rigd.ring"})


def test_the_status_needs_no_numpy() -> None:
    loaded = loaded_by("rigclient.cli.main", "--rig", "127.0.0.1:1", "status")
    assert "grpc" in loaded
    assert loaded.isdisjoint({"numpy", "pandas", "rigclient.frames", "rich.progress"})


@pytest.mark.parametrize("group", [rig, rigd_command], ids=["rig", "rigd"])
def test_the_help_lists_every_command_once_and_cuts_no_line(group: Group) -> None:
    context = click.Context(group)
    listed = [name for names in group.sections.values() for name in names]
    assert sorted(listed) == group.list_commands(context)
    lines = group.get_help(click.Context(group, terminal_width=80)).splitlines()
    assert [line for line in lines[1:] if "..." in line] == []
