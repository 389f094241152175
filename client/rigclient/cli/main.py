"""`rig`: the rig for people. Every read command has `--json`."""

import contextlib
from typing import Final

import click

from rig.errors import BadRequest
from rigclient import paired
from rigclient.cli.commands import exits
from rigclient.cli.terminal import streams

_HERE: Final = "rigclient.cli.commands"
COMMANDS: Final = {
    "ask": (f"{_HERE}.ask:ask", "Ask the assistant of the rig about laps"),
    "backup": (
        f"{_HERE}.backup:backup",
        "Copy everything that the rig keeps into one file",
    ),
    "car": (f"{_HERE}.garage.groups:car", "Keep car models and their classes"),
    "catalog": (f"{_HERE}.garage.groups:catalog", "Look after the catalog: all that people enter"),
    "channels": (f"{_HERE}.channels:channels", "List the channels: names, units, fields of the game"),
    "circuit": (f"{_HERE}.circuit:circuit", "Show the circuits that the rig has surveyed, and their corners"),
    "coach": (f"{_HERE}.coach:coach", "Tell where a lap loses time, and what to do about it"),
    "compare": (f"{_HERE}.compare:compare", "Compare laps: where one of them wins the time"),
    "connect": (f"{_HERE}.connect:connect", "Pair with the rig of a join string, as `rigd pair` prints it"),
    "delete": (f"{_HERE}.mark:delete", "Delete laps for good"),
    "event": (f"{_HERE}.garage.groups:event", "Keep race weekends and test days with their sessions"),
    "export": (f"{_HERE}.export:export", "Write laps as CSV, Parquet or MoTeC files"),
    "forget": (f"{_HERE}.rigs:forget", "Forget a paired rig"),
    "formula": (f"{_HERE}.garage.groups:formula", "Keep formulas, to take them by their names"),
    "gaps": (f"{_HERE}.losses:gaps", "Show what is missing of a session, and why"),
    "gateway": (f"{_HERE}.gateway:gateway", "Serve pages for browsers: the pit wall, overlays for OBS, laps"),
    "import": (f"{_HERE}.import_laps:import_laps", "Import laps of other programs"),
    "lap": (f"{_HERE}.lap:lap_command", "Show a lap: facts, speed over the distance, channels, events"),
    "laps": (f"{_HERE}.laps:laps", "List the laps of a session, or of all"),
    "layout": (f"{_HERE}.garage.groups:layout", "Keep layouts of plots and of the pit wall"),
    "mark": (f"{_HERE}.mark:mark", "Keep the seconds around a moment, whatever lap they lie in"),
    "marks": (f"{_HERE}.mark:marks", "List moments that were marked, newest first"),
    "migrate": (
        f"{_HERE}.migrate:migrate",
        "Bring the laps of the old collector over, and prove that nothing was lost",
    ),
    "note": (f"{_HERE}.garage.groups:note", "Keep notes on laps and sessions"),
    "pin": (f"{_HERE}.mark:pin", "Keep laps whatever else has to go"),
    "plan": (f"{_HERE}.plan:plan", "Approve, item by item, what the assistant has proposed"),
    "plot": (f"{_HERE}.plot:plot", "Draw laps over the distance, and what each loses to the first"),
    "rigs": (f"{_HERE}.rigs:rigs", "List the rigs of this machine, and those it is paired with"),
    "season": (
        f"{_HERE}.season.group:season",
        "Add up a season: results, points, drivers, factors, forecasts",
    ),
    "seat": (f"{_HERE}.seat:seat", "Show who is in the seat, or put somebody into it"),
    "sessions": (f"{_HERE}.sessions:sessions", "List sessions, newest first"),
    "setup": (f"{_HERE}.garage.groups:setup", "Keep setups, compare them, say which laps had them"),
    "status": (f"{_HERE}.status:status", "Show how the rig is: game, seat, recorder, ring, laps, who reads"),
    "sync": (f"{_HERE}.sync:sync", "Load what the warehouse has not got yet from one or more rigs"),
    "tag": (f"{_HERE}.garage.groups:tag", "Tag laps and sessions, to find them again"),
    "tail": (f"{_HERE}.tail:tail", "Follow a stream, one line per record and car"),
    "unpin": (f"{_HERE}.mark:unpin", "Let laps that were pinned go like any other"),
    "user": (f"{_HERE}.garage.groups:user", "Keep users, and under which names they drive"),
    "vehicle": (f"{_HERE}.garage.groups:vehicle", "Keep vehicles with their configurations and setups"),
    "verify": (f"{_HERE}.verify:verify", "Check everything that the rig keeps, to the last byte"),
    "warehouse": (
        f"{_HERE}.warehouse:warehouse",
        "Look after the warehouse, and ask it; `rig sync` fills it",
    ),
    "watch": (f"{_HERE}.watch:watch", "Watch the race live: leaderboard, cockpit, tyres"),
    "whoami": (f"{_HERE}.whoami:whoami", "Show who you are to the rig, and what you may do"),
}
"""Where each command is, and the first line of its docstring."""

SECTIONS: Final = {
    "The race and the rig": ("watch", "gateway", "status", "seat", "tail", "channels"),
    "Sessions and laps": ("sessions", "laps", "lap", "plot", "export", "gaps", "verify", "import", "migrate"),
    "Where the time went": ("compare", "coach", "ask", "plan", "circuit", "season"),
    "The garage": ("event", "vehicle", "setup", "note", "tag", "layout", "formula", "car", "user", "catalog"),
    "Keep and delete": ("mark", "marks", "pin", "unpin", "delete", "backup"),
    "Other machines": ("connect", "rigs", "forget", "whoami"),
    "Warehouse": ("sync", "warehouse"),
}
"""How help lists them."""


@click.group(
    cls=exits.Commands,
    lazy=COMMANDS,
    sections=SECTIONS,
    epilog=exits.HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--rig",
    "address",
    metavar="RIG",
    envvar="RIG_ADDRESS",
    default="",
    show_default="the one that answers on this machine",
    show_envvar=True,
    help="Name of a rig, on this machine or paired; host:port, or unix:PATH of a socket.",
)
@click.version_option(package_name="rigd", prog_name="rig")
@click.pass_context
def rig(ctx: click.Context, address: str) -> None:
    """Look at a sim rig: its state, its live telemetry, its sessions and laps.

    \b
    Example:
      rig watch
      rig --rig demo watch
    """
    ctx.obj = address
    with contextlib.suppress(BadRequest):  # of several, `connect` says so, where a rig is needed at all
        ctx.obj = paired.place(address)


def main() -> None:
    """Run the `rig` command."""
    streams.run(rig)


if __name__ == "__main__":
    main()
