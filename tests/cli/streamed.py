"""Runs command lines on streams that take little or nothing, and tells what came of each.

A process that has loaded both programs, and forks for every line: 20 ms each instead of half a second. It
reads a list of (program, words, stream) as JSON from standard input and writes a list of (exit code, standard
output, standard error).
"""

import gc
import io
import json
import os
import sys
import tempfile
import traceback
from typing import IO, Any

import click

from rigclient.cli.main import rig
from rigclient.cli.terminal import streams
from rigd.__main__ import rigd_command

PROGRAMS = {"rig": rig, "rigd": rigd_command}
LETTERS = {"ascii": "ascii", "latin-1": "latin-1"}
PATIENCE_S = 60
"""Real time after which a command that has not ended is ended by SIGALRM, and its code tells."""


def standard_output(stream: str, kept: IO[bytes]) -> Any:
    """What the command gets as sys.stdout."""
    if stream == "closed":
        os.close(1)
        return None
    if stream == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    elif stream == "nobody reads":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
    else:
        os.dup2(kept.fileno(), 1)
    return io.TextIOWrapper(io.FileIO(1, "w", closefd=False), LETTERS.get(stream, "utf-8"))


def run(program: str, words: list[str], stream: str, kept: tuple[IO[bytes], IO[bytes]]) -> int:
    """The command line, in this process; the exit code."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(kept[1].fileno(), 2)
    sys.stdout = standard_output(stream, kept[0])
    errors = io.FileIO(2, "w", closefd=False)
    sys.stderr = io.TextIOWrapper(errors, LETTERS.get(stream, "utf-8"), "backslashreplace")
    os.environ.update({"narrow": {"COLUMNS": "20"}, "dumb": {"TERM": "dumb"}}.get(stream, {}))
    sys.argv = [program, *words]
    try:
        streams.run(PROGRAMS[program])
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001  that is what is looked for
        traceback.print_exc()
        code = 70
    sys.stderr.flush()
    return code


def forked(program: str, words: list[str], stream: str) -> tuple[int, str, str]:
    """What came of one line."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            import signal

            signal.alarm(PATIENCE_S)
            os._exit(run(program, words, stream, (out, err)))
        _, status = os.waitpid(child, 0)
        for file in (out, err):
            file.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return code, out.read().decode("latin-1"), err.read().decode("latin-1")


def loaded(group: click.Group) -> None:
    """Import every command of a group: a child that has to spends 100 ms on it."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            loaded(command)


def main() -> None:
    for program in PROGRAMS.values():
        loaded(program)
    gc.freeze()  # a collection in a child would copy all pages
    print(json.dumps([forked(*case) for case in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
