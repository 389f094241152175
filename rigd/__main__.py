"""The `rigd` command: the daemons of the machine and the tools around them."""

import errno
from typing import Any, Final

import click

import rigd
from rig.errors import Corrupt, Newer, RigError, Unavailable
from rig.signs import visible
from rigclient.cli.commands import exits
from rigclient.cli.terminal import streams
from rigclient.cli.terminal.group import Group
from rigd import lifeline

FAILED: Final = 1
"""Exit code where another try may do better."""
_PASSING: Final = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM),
    *(errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ESTALE),
)
"""Refusals of a disk or of the machine that end without anybody's doing at the command line."""


_HERE: Final = "rigd.commands"
COMMANDS: Final = {
    "archive": (f"{_HERE}.daemons:archive", "Turn closed laps into files, keep the index, make room"),
    "backup": (
        f"{_HERE}.backup:backup",
        "Copy everything that is kept into one file, also while daemons run",
    ),
    "capture": (f"{_HERE}.game:capture", "Write the raw buffers with their timing to FILE, until Ctrl-C"),
    "certificate": (
        f"{_HERE}.certificate:certificate",
        "Change the certificate that devices know this rig by, without cutting anybody off",
    ),
    "circuit": (f"{_HERE}.circuit:circuit", "Keep a circuit with changed corners as its next version"),
    "config": (
        f"{_HERE}.config:config",
        "Print the configuration in force, and where each value is from",
    ),
    "demo-game": (
        f"{_HERE}.game:demo_game",
        "Simulate the game: write its shared memory as the plugin does, and remove it at the end",
    ),
    "doctor": (
        f"{_HERE}.doctor:doctor",
        "Look at machine, disk, game and memory, and say what is wrong and what to do about it",
    ),
    "install": (
        f"{_HERE}.setup:install",
        "Have systemd run the daemons: units, folders, an example of a configuration",
    ),
    "pair": (
        f"{_HERE}.access:pair",
        "Let a device read this rig: print the join string for `rig connect` there",
    ),
    "pairing": (f"{_HERE}.pairing:pairing", "List and cancel join strings that nobody has used yet"),
    "record": (f"{_HERE}.daemons:record", "Record the game's memory into the ring"),
    "reindex": (
        f"{_HERE}.kept:reindex",
        "Check every lap file to its last byte and build the index anew from what is sound",
    ),
    "replay": (f"{_HERE}.game:replay", "Play a capture back through buffers, as the game wrote them"),
    "restore": (f"{_HERE}.backup:restore", "Bring a backup back into an empty folder"),
    "run": (
        f"{_HERE}.run:run",
        "Start and supervise recorder, archiver and server, and with --demo the simulated game",
    ),
    "serve": (
        f"{_HERE}.daemons:serve",
        "Serve the ring over gRPC, at a socket of the user's where `rig` finds it",
    ),
    "token": (f"{_HERE}.access:token", "List, revoke and extend the tokens of this rig"),
    "uninstall": (f"{_HERE}.setup:uninstall", "Take back what `rigd install` has done, and nothing else"),
    "upgrade-check": (
        f"{_HERE}.setup:upgrade_check",
        "Say which data this version would write in another format than they have, and what that means",
    ),
    "verify": (
        f"{_HERE}.kept:verify",
        "Check everything that is kept, to the last byte: ring, loss journals, laps, index",
    ),
}
"""Where each command is, and the first line of its docstring: a daemon loads its own alone."""

SECTIONS: Final = {
    "Run it": ("run", "doctor"),
    "As services": ("install", "uninstall", "upgrade-check", "config"),
    "Other machines": ("pair", "pairing", "token", "certificate"),
    "What is kept": ("verify", "reindex", "circuit", "backup", "restore"),
    "A daemon alone": ("record", "archive", "serve"),
    "Without the game": ("demo-game", "capture", "replay"),
}
"""How help lists the commands."""
SUPERVISED: Final = frozenset({"run", "record", "archive", "serve", "demo-game"})
"""Commands that somebody starts again: they end with the codes that a supervisor understands."""


def _code_of(command: str | None, error: RigError | OSError) -> int:
    """Return the exit code: a daemon's says whether another try may do better."""
    from rigd.supervisor import REFUSED

    if command not in SUPERVISED:
        return exits.code_of(error)
    if isinstance(error, OSError):
        return FAILED if error.errno in _PASSING else REFUSED
    passing = isinstance(error, Unavailable | Corrupt) and not isinstance(error, Newer)
    return FAILED if passing else REFUSED


class _Commands(Group):
    """Errors of the tree end a command with one sentence and a code that says why."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        lifeline.hold()
        try:
            return super().invoke(ctx)
        except RigError as error:
            click.secho("rigd: ", fg="red", nl=False, err=True)
            click.echo("\n".join(map(visible, str(error).split("\n"))), err=True)
            ctx.exit(_code_of(ctx.invoked_subcommand, error))
        except OSError as error:
            if error.filename is None:
                raise  # not about a file: standard output is full or closed
            click.secho("rigd: ", fg="red", nl=False, err=True)
            click.echo(visible(f"{error.strerror}: {error.filename}"), err=True)
            ctx.exit(_code_of(ctx.invoked_subcommand, error))


@click.group(
    "rigd",
    cls=_Commands,
    lazy=COMMANDS,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(rigd.__version__, prog_name="rigd")
def rigd_command() -> None:
    """The flight recorder of a sim rig.

    \b
    Example:
      rigd run --demo --watch     everything, on the simulated game, with a live view
      rigd run                    everything, on the real game
      rigd doctor                 why is there no data?
    """


def main() -> None:
    """Run the `rigd` command."""
    streams.run(rigd_command)


if __name__ == "__main__":
    main()
