"""`rig gateway`: rigs for browsers."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from rig.errors import Unavailable
from rigclient.cli.commands import shell
from rigclient.cli.terminal.plain import say

if TYPE_CHECKING:
    from rigclient.gateway.server import Gateway, Settings

WIDGETS: Final = [
    "dash",
    "tyres",
    "delta",
    "relative",
    "standings",
    "map",
    "radar",
    "fuel",
    "weather",
    "inputs",
]
_PATHS: Final = {"wall": "wall", "replay": "replay", "laps": "laps", "compare": "compare"} | {
    name: f"overlay/{name}" for name in WIDGETS
}


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8790, show_default=True, help="0: a free one."
)
@click.option("--listen", metavar="HOST", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--rig", "rigs", metavar="RIG", multiple=True, help="Show this rig alone; as often as needed.")
@click.option(
    "--own",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own pages, served at /own/.",
)
@shell.as_json
@click.pass_obj
def gateway(
    address: str, port: int, listen: str, rigs: tuple[str, ...], own: Path | None, as_json: bool
) -> None:
    """Serve pages for browsers: the pit wall, overlays for OBS, laps.

    All rigs of `rig rigs` are shown. However many pages look at a rig, it pays for one stream. Without
    --listen only this machine gets in; elsewhere whoever has the key in the printed address, over TLS.

    \b
    Example:
      rig gateway
      rig gateway --listen 0.0.0.0 --rig pitwall
    """
    try:
        from rigclient.gateway import running
    except ImportError as error:
        raise Unavailable("the gateway needs aiohttp", hint="pip install 'rigd[gateway]'") from error
    only = rigs or ((address,) if address else ())
    settings = running.settings(listen, port, only, own)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(settings, as_json))


async def _serve(settings: "Settings", as_json: bool) -> None:
    from rigclient.gateway.server import Gateway

    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Gateway(settings) as running:
        _print(running, as_json)
        await ended.wait()


def _print(running: "Gateway", as_json: bool) -> None:
    links = {name: running.link(path) for name, path in _PATHS.items()}
    if as_json:
        click.echo(shell.json_text({"address": running.address, "pages": links}))
        return
    say(f"rigs       {running.address}")
    for name, link in links.items():
        say(f"{name:<10} {link}")
