"""`rig setup use`, `rig setup clear`: which laps were driven with a setup."""

import contextlib
from collections.abc import Sequence

import click

from rig.errors import Denied, NotFound, Taken
from rig.v1 import catalog_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.garage import resources
from rigclient.cli.commands.garage.resources import SETUPS
from rigclient.cli.commands.garage.target import laps_meant, on_session
from rigclient.cli.terminal.plain import say


@click.command()
@click.argument("name", metavar="SETUP")
@click.argument("laps", metavar="LAP...", nargs=-1, required=True)
@on_session
@shell.as_json
@click.pass_obj
def use(address: str, name: str, laps: tuple[str, ...], of_session: bool, as_json: bool) -> None:
    """Say which setup laps were driven with.

    LAP is what `rig lap` takes; it shows the setup from then on. With --session it is a session, and its
    laps of the rig's own car are meant.

    \b
    Example:
      rig setup use sprint best car012-0003
      rig setup use endurance --session 5f3a-2
    """
    with connect(address) as rig:
        found = resources.find(rig.catalog, SETUPS, name)
        made = [_assign(rig, lap, found.name) for lap in _laps(rig, laps, of_session)]
    if as_json:
        shell.show_json(made)
        return
    for one in made:
        say(f"{resources.target_text(one.assignment.lap)} was driven with {found.setup.title}")


@click.command()
@click.argument("laps", metavar="LAP...", nargs=-1, required=True)
@on_session
@shell.as_json
@click.pass_obj
def clear(address: str, laps: tuple[str, ...], of_session: bool, as_json: bool) -> None:
    """Forget which setup laps were driven with.

    \b
    Example:
      rig setup clear car012-0003
    """
    with connect(address) as rig:
        meant = _laps(rig, laps, of_session)
        found = [one for lap in meant for one in rig.catalog.list("assignments", target=lap)]
        for one in found:
            rig.catalog.delete(one.name, etag=one.etag)
    if as_json:
        shell.show_json(found)
        return
    for one in found:
        say(f"nobody says any more which setup {resources.target_text(one.assignment.lap)} was driven with")
    if not found:
        say("nobody has said which setup they were driven with")


def _laps(rig: Rig, names: Sequence[str], of_session: bool) -> list[str]:
    """Return the whole names of laps that are there, or of the own car's in sessions. Raises NotFound."""
    if not of_session:
        with laps_meant(rig, names):
            return [rig.lap_info(lap).name for lap in rig.find_laps(names)]
    found: list[str] = []
    for session in dict.fromkeys(map(rig.find_session, names)):
        own = [lap.name for lap in rig.laps(session, player=True, kind="lap", order_by="start_time")]
        if not own:
            told = resources.target_text(session)
            raise NotFound(f"{told} has no lap of the rig's own car", hint="name the laps, without --session")
        found += own
    return found


def _assign(rig: Rig, lap: str, setup: str) -> catalog_pb2.Resource:
    """Say it of a lap; what the caller said before no longer holds."""
    body = catalog_pb2.Assignment(lap=lap, setup=setup)
    try:
        return rig.catalog.create("assignments", body)
    except Taken:
        for one in rig.catalog.list("assignments", target=lap):
            with contextlib.suppress(Denied):  # another's
                return rig.catalog.update(one.name, body, ("setup",))
        raise
