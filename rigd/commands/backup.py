"""Everything that is kept, copied into one file and brought back."""

from pathlib import Path

import click

from rigd.commands import options


@click.command()
@options.config
@options.data
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--without-ring", is_flag=True, help="Laps and what people entered, no ring.")
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Tokens and the key of the certificate as well: whoever has FILE can answer as this rig.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def backup(data: Path, file: Path, without_ring: bool, with_secrets: bool, as_json: bool) -> None:
    """Copy everything that is kept into one file, also while daemons run.

    Ring, laps, index, circuits, marks and the catalog, as they are at one moment. `rigd restore` brings FILE
    back; `rig backup` makes the same over the network.

    \b
    Example:
      rigd backup /mnt/usb/rig.tar.zst --data /srv/rigd
    """
    options.interruptible()
    from rigclient.cli.commands.backup import save
    from rigd.backup.run import BackupRun

    run = BackupRun(data, without_ring=without_ring, with_secrets=with_secrets)
    save(run.responses(), file, as_json)


@click.command()
@options.config
@options.data
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def restore(data: Path, file: Path, as_json: bool) -> None:
    """Bring a backup back into an empty folder.

    Every file is checked against its SHA-256 before any has its place; then the index is brought to what the
    laps are. Do not run both this and the rig that the backup was made of: they would be the same one.

    \b
    Example:
      rigd restore rig.tar.zst --data /srv/rigd
      rigd run --data /srv/rigd
    """
    options.interruptible()
    from rigclient.cli.commands import shell
    from rigclient.cli.terminal.plain import say
    from rigd.backup.restore import restore as run

    with shell.progress(file.name) as progress:
        done = run(file, data, progress)
    if as_json:
        click.echo(shell.json_text({**done._asdict(), "data": str(data)}))
        return
    ring = "with the ring" if done.ring else "without a ring"
    say(f"{data}: sessions {done.sessions:,}, laps {done.laps:,}, {ring}; `rigd verify` checks them")
