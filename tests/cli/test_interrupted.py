"""Ctrl-C at the worst moment: while Python makes a class out of a text."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, signal
import click
from rigclient.cli.terminal import streams

@click.command()
def command():
    exec("os.kill(os.getpid(), signal.SIGINT)")

streams.run(command)
"""


def test_it_ends_with_130_and_not_by_the_signal(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    # As a module: of a script alone Python forgets the note by itself.
    ended = subprocess.run(
        [sys.executable, "-m", "program"], cwd=tmp_path, capture_output=True, timeout=240, check=False
    )
    assert ended.returncode == 130
