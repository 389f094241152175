"""What notes and tags stand on: laps, and with --session whole sessions."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from rig.errors import BadRequest, NotFound
from rigclient.blocking import Rig
from rigclient.queries import ALL

on_session: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--session", "of_session", is_flag=True, help="Names are those of sessions, not of laps."
)


def target_name(rig: Rig, wanted: str, of_session: bool) -> str:
    """Return the whole name of a lap, as `rig lap` finds it, or of a session. Raises NotFound, BadRequest."""
    if of_session or (wanted.startswith("sessions/") and "/laps/" not in wanted):
        found = rig.find_session(wanted)
        if found == ALL:
            raise BadRequest("that is all sessions", hint="name one")
        return rig.session(found).name
    with laps_meant(rig, (wanted,)):
        return rig.lap_info(wanted).name


@contextlib.contextmanager
def laps_meant(rig: Rig, names: Iterable[str]) -> Iterator[None]:
    """Tell of --session where one of the names that are no laps is a session's. Raises NotFound."""
    try:
        yield
    except NotFound:
        for name in names:
            if _is_session(rig, name):
                raise NotFound(f"{name} is a session, no lap", hint="--session takes sessions") from None
        raise


def _is_session(rig: Rig, wanted: str) -> bool:
    try:
        return rig.find_session(wanted) != ALL
    except (NotFound, BadRequest):
        return False
