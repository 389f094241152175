"""`rig export`: laps as files for other programs."""

from pathlib import Path
from typing import Final

import click

from rig.errors import BadRequest
from rigclient.commands import shell
from rigclient.commands.named import lap_named
from rigclient.connection import Rig, connect
from rigclient.export import csv, motec, parquet
from rigclient.lap import Lap

_FORMATS: Final = ("csv", "parquet", "ld")

_PLACE: Final = ("lap_time", "distance")


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Default: what FILE ends in, else csv.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="FILE|DIR",
    help="A file for one lap or one .ld, a folder for several; default: here, under the lap's name.",
)
@click.option(
    "--channels", metavar="A,B", default="", callback=shell.names, help="Default: all; see `rig channels`."
)
@shell.as_json
@click.pass_obj
def export(
    address: str,
    names: tuple[str, ...],
    form: str | None,
    out: Path,
    channels: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write laps as CSV, Parquet or MoTeC files. NAME is what `rig lap` takes.

    A .ld file holds all laps named, one after the other, and its .ldx where each ends.

    \b
    Example:
      rig export best --out best.parquet
      rig export car012-0003 car012-0004 --format ld --out run.ld
    """
    form = form or _format_of(out)
    if form != "ld" and len(names) > 1 and _is_file(out):
        raise BadRequest(f"{len(names)} laps do not fit in {out}", hint="give a folder")
    with connect(address) as rig:
        found = [lap_named(rig, name) for name in names]
        if form == "ld":
            files = _write_log(rig, found, out, channels)
        else:
            files = [_write_table(rig, name, form, out, channels) for name in found]
    shell.show_files(files, as_json)


def _write_log(rig: Rig, names: list[str], out: Path, channels: tuple[str, ...]) -> list[Path]:
    # All channels: MoTeC's steering angle needs more than the one that was asked for.
    laps = [_read(rig, name, ()) for name in names]
    path = _file(out, names[0], "ld")
    with shell.busy(f"writing {path}"):
        motec.write(laps, path, channels)
    return [path, path.with_suffix(".ldx")]


def _write_table(rig: Rig, name: str, form: str, out: Path, channels: tuple[str, ...]) -> Path:
    """Numbers without their place in the lap are worth little, so that comes first."""
    if channels:
        channels = (*_PLACE, *(channel for channel in channels if channel not in _PLACE))
    lap, path = _read(rig, name, channels), _file(out, name, form)
    with shell.busy(f"writing {path}"):
        (csv if form == "csv" else parquet).write(lap, path, channels)
    return path


def _format_of(out: Path) -> str:
    ending = out.suffix.removeprefix(".")
    return ending if ending in _FORMATS else "csv"


def _read(rig: Rig, name: str, channels: tuple[str, ...]) -> Lap:
    with shell.progress(name.rpartition("/")[2]) as progress:
        return rig.lap(name, channels, progress=progress)


def _is_file(out: Path) -> bool:
    """`out` names a file, not a folder: it has an ending and is no folder."""
    return bool(out.suffix) and not out.is_dir()


def _file(out: Path, name: str, form: str) -> Path:
    """`out` itself when it names a file, else a file in that folder, which is made."""
    if _is_file(out):
        return out
    out.mkdir(parents=True, exist_ok=True)
    return out / f"{name.rpartition('/')[2]}.{form}"
