"""`rig plot`: laps over the distance, as a page or a picture."""

import contextlib
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from rig.errors import MissingChannel
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from riglap.lap import Lap, channel_of
from riglap.plot import writer_of
from riglap.plot.panels import plot_of

_NEEDED: Final = ("distance", "lap_time")
_PLACED: Final = ("position", "speed", "local_velocity", "in_pit_lane")
"""What the time between laps takes."""


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--channels",
    metavar="A,B",
    default="speed,throttle,brake",
    show_default="speed,throttle,brake, those that all laps have",
    callback=shell.names,
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("lap.html"),
    callback=shell.file,
    show_default=True,
    help=".html to explore in a browser; .png, .svg or .pdf for a picture.",
)
@shell.formulas
@shell.as_json
@click.pass_context
def plot(
    context: click.Context,
    /,
    names: tuple[str, ...],
    channels: tuple[str, ...],
    out: Path,
    formulas: shell.Formulas,
    as_json: bool,
) -> None:
    """Draw laps over the distance, and what each loses to the first.

    NAME is what `rig lap` takes. What a wheel has several of, such as tyre_temp, is drawn as their mean;
    tyre_temp_fl is one wheel.

    \b
    Example:
      rig plot best car012-0003 --channels speed,throttle,brake,gear --out laps.html
      rig plot best --channels "push = derivative(speed) [G]"
    """
    writer = writer_of(out)
    address: str = context.obj
    usual = context.get_parameter_source("channels") is ParameterSource.DEFAULT
    with connect(address) as rig:
        whole = rig.find_laps(names)
        wanted = formulas.chosen(channels, address)
        channels = wanted.channels if wanted else channels
        needed = wanted.needed() if wanted else channels
        needed = (*needed, *_NEEDED) if needed else ()
        more = _PLACED if needed and len(whole) > 1 else ()
        read = [_read(rig, name, needed, more, usual=usual) for name in whole]
        laps = [shell.extended(lap, wanted) for lap in read]
    if usual:
        channels = tuple(name for name in channels if all(name in lap for lap in laps)) or channels
    with shell.busy(f"drawing {out}"):
        writer.write(out, plot_of(laps, channels))
    shell.show_files([out], as_json)


def _read(rig: Rig, name: str, channels: tuple[str, ...], more: tuple[str, ...], *, usual: bool) -> Lap:
    """The lap with these channels, of the usual ones those it has, and with `more` where its file has
    them.
    """
    with shell.progress(name.rpartition("/")[2]) as progress:
        with contextlib.suppress(MissingChannel):
            return rig.lap(name, dict.fromkeys(map(channel_of, (*channels, *more))), progress=progress)
        try:
            return rig.lap(name, dict.fromkeys(map(channel_of, channels)), progress=progress)
        except MissingChannel:
            lap = rig.lap(name, progress=progress) if usual else None
            if lap is None or not any(one in lap for one in channels if one not in _NEEDED):
                raise
            return lap
