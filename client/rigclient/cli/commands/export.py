"""`rig export`: laps as files for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from rig.errors import BadRequest
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from riglap.export import csv, motec, parquet
from riglap.lap import Lap, channel_of
from riglap.names import short_names

if TYPE_CHECKING:
    from riglap.formulas import Chosen

_FORMATS: Final = ("csv", "parquet", "ld")

_PLACE: Final = ("lap_time", "distance")


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Default: what FILE ends in, else csv.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(),
    callback=shell.file,
    metavar="FILE|DIR",
    help="A file for one lap or one .ld, a folder for several; default: here, under the lap's name,"
    " with its session's before it where the laps are of several.",
)
@click.option(
    "--channels", metavar="A,B", default="", callback=shell.names, help="Default: all; see `rig channels`."
)
@shell.formulas
@shell.as_json
@click.pass_obj
def export(
    address: str,
    names: tuple[str, ...],
    form: str | None,
    out: Path,
    channels: tuple[str, ...],
    formulas: shell.Formulas,
    as_json: bool,
) -> None:
    """Write laps as CSV, Parquet or MoTeC files.

    NAME is what `rig lap` takes. A .ld file holds all laps named, one after the other, and its .ldx where
    each ends. A CSV file begins with lines of facts behind a #: pandas.read_csv(FILE, comment="#").
    Channels that the game did not fill are left out and named there.

    \b
    Example:
      rig export best --out best.parquet
      rig export car012-0003 car012-0004 --format ld --out run.ld
      rig export best --channels "speed,push = derivative(speed) [G]" --out push.csv
    """
    form = _format(out, form)
    wanted = formulas.chosen(channels, address)
    with connect(address) as rig:
        found = rig.find_laps(names)
        if form == "ld":
            files = _write_log(rig, found, out, channels, wanted)
        else:
            paths = _files(out, found, form)
            files = [
                _write_table(rig, *lap, form, channels, wanted) for lap in zip(found, paths, strict=True)
            ]
    shell.show_files(files, as_json)


def _write_log(
    rig: Rig, names: list[str], out: Path, channels: tuple[str, ...], wanted: "Chosen | None"
) -> list[Path]:
    # All channels: MoTeC's steering angle needs more than the one that was asked for.
    laps = [shell.extended(_read(rig, name, ()), wanted) for name in names]
    (path,) = _files(out, names[:1], "ld")
    if channels and wanted:
        channels = wanted.channels
    if channels or wanted:
        _say(motec.unavailable(laps, channels or tuple(wanted.formulas if wanted else ())), path)
    with shell.busy(f"writing {path}"):
        motec.write(laps, path, channels)
    return [path, path.with_suffix(".ldx")]


def _write_table(
    rig: Rig, name: str, path: Path, form: str, channels: tuple[str, ...], wanted: "Chosen | None"
) -> Path:
    """Write the table. Numbers without their place in the lap are worth little, so that comes first."""
    needed = channels
    if channels:
        own = wanted.channels if wanted else channels
        channels = (*_PLACE, *(channel for channel in own if channel not in _PLACE))
        needed = channels if wanted is None else wanted.needed() and (*_PLACE, *wanted.needed())
    lap = shell.extended(_read(rig, name, needed), wanted)
    if channels or wanted:
        _say(lap.unavailable(channels or tuple(wanted.formulas if wanted else ())), path)
    with shell.busy(f"writing {path}"):
        (csv if form == "csv" else parquet).write(lap, path, channels)
    return path


def _say(absent: list[str], path: Path) -> None:
    """Say what was asked for by name and is not there; the file itself says what it lacks."""
    if absent:
        shell.warn(f"{path} has no values of {', '.join(absent)}: not available in this lap")


def _format(out: Path, form: str | None) -> str:
    """Return what the file's ending says, else `form`, else csv. Raises BadRequest where the two do not
    agree.
    """
    if not _is_file(out):
        return form or "csv"
    ending = out.suffix.lower().removeprefix(".")
    if ending not in _FORMATS:
        endings = ", ".join(f".{one}" for one in _FORMATS)
        raise BadRequest(f"{out} has no known ending", hint=f"there are {endings}; a folder must be there")
    if form not in (None, ending):
        raise BadRequest(f"{out} does not end like {form}", hint=f"leave --format out, or end it in .{form}")
    return ending


def _read(rig: Rig, name: str, channels: tuple[str, ...]) -> Lap:
    with shell.progress(name.rpartition("/")[2]) as progress:
        return rig.lap(name, dict.fromkeys(map(channel_of, channels)), progress=progress)


def _is_file(out: Path) -> bool:
    """Return whether `out` names a file, not a folder: it has an ending and is no folder."""
    return bool(out.suffix) and not out.is_dir()


def _files(out: Path, names: list[str], form: str) -> list[Path]:
    """Return `out` itself when it names a file, else a file per lap in that folder, which is made."""
    if _is_file(out):
        if len(names) > 1:
            raise BadRequest(f"{len(names)} laps do not fit in {out}", hint="give a folder")
        return [out]
    out.mkdir(parents=True, exist_ok=True)
    return [out / f"{name.replace('/', '-')}.{form}" for name in short_names(names)]
