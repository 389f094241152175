"""What is kept: checked, and its index built anew."""

import sys
from pathlib import Path

import click

from rig.regular import shown
from rigd.commands import options


@click.command()
@options.config
@options.data
def reindex(data: Path) -> None:
    """Check every lap file to its last byte and build the index anew from what is sound.

    Damaged files are set aside and listed. Ends with code 1 when there are any.

    \b
    Example:
      rigd reindex --data /srv/rigd
    """
    from rich.progress import Progress

    from rigclient.cli.terminal.text import Console

    options.interruptible()

    from rigd.store.reindex import reindex as run

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("checking laps")
        tally = run(data, lambda done, total: progress.update(task, completed=done, total=total))
    click.echo(f"{tally.laps} laps checked, {tally.damaged} damaged in all")
    for word, paths in (
        ("of a newer version, left alone", tally.newer),
        ("no lap", tally.foreign),
        ("set aside", tally.aside),
    ):
        for path in paths:
            click.echo(f"{word}: {shown(path)}")
    sys.exit(1 if tally.damaged or tally.foreign or tally.aside else 0)


@click.command()
@options.config
@options.data
@click.option("--deep", is_flag=True, help="Compare all laps that the ring still holds with it.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def verify(ctx: click.Context, data: Path, deep: bool, as_json: bool) -> None:
    """Check everything that is kept, to the last byte: ring, loss journals, laps, index.

    Nothing is changed, and recorder and archiver may run. Ends with code 1 when something is found.

    \b
    Example:
      rigd verify --data /srv/rigd --deep
    """
    options.interruptible()
    from rigclient.cli.commands.verify import show
    from rigd.verify.run import DataCheck

    ctx.exit(1 if show(DataCheck(data, deep).responses(), as_json) else 0)
