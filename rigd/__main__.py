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
from rigd.commands import (
    access,
    backup,
    certificate,
    circuit,
    config,
    daemons,
    doctor,
    game,
    kept,
    run,
    setup,
)
from rigd.supervisor import REFUSED

FAILED: Final = 1
"""Exit code where another try may do better."""
_PASSING: Final = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM),
    *(errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ESTALE),
)
"""Refusals of a disk or of the machine that end without anybody's doing at the command line."""


SECTIONS: Final = {
    "Run it": ("run", "doctor"),
    "As services": ("install", "uninstall", "upgrade-check", "config"),
    "Other machines": ("pair", "token", "certificate"),
    "What is kept": ("verify", "reindex", "circuit", "backup", "restore"),
    "A daemon alone": ("record", "archive", "serve"),
    "Without the game": ("demo-game", "capture", "replay"),
}
"""How help lists the commands."""
SUPERVISED: Final = frozenset({"run", "record", "archive", "serve", "demo-game"})
"""Commands that somebody starts again: they end with the codes that a supervisor understands."""


def _code_of(command: str | None, error: RigError | OSError) -> int:
    """Return the exit code: a daemon's says whether another try may do better."""
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


for command in (
    *(run.run, daemons.record, daemons.archive, daemons.serve),
    *(config.config, kept.reindex, kept.verify, circuit.circuit),
    *(backup.backup, backup.restore),
    *(access.pair, access.token, certificate.certificate),
    *(setup.install, setup.uninstall, setup.upgrade_check),
    *(doctor.doctor, game.demo_game, game.capture, game.replay),
):
    rigd_command.add_command(command)


def main() -> None:
    """Run the `rigd` command."""
    streams.run(rigd_command)


if __name__ == "__main__":
    main()
