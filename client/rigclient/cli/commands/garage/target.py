"""What notes and tags stand on: laps, and with --session whole sessions."""

from collections.abc import Callable
from typing import Any

import click

from rig.errors import BadRequest
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
    return rig.lap_info(wanted).name
